"""A verification counts until another run begins or ends."""

from __future__ import annotations

import pytest

from sre_agent_deploy.journal.state import Run, State

BEFORE, AFTER = "2026-11-22T15:00:00Z", "2026-11-22T15:10:00Z"


@pytest.mark.parametrize(
    ("run", "proven"),
    [
        (Run("deploy", "ada", "host", BEFORE, BEFORE, "applied"), AFTER),
        (Run("deploy", "ada", "host", AFTER, "2026-11-22T15:11:00Z", "applied"), ""),
        (Run("deploy", "ada", "host", "2026-11-22T15:11:00Z"), ""),
    ],
    ids=["nothing since", "a run that was not verified", "a run that has no end"],
)
def test_a_run_after_the_verification(run: Run, proven: str) -> None:
    """The verification of an earlier run says nothing about the result of a later one."""
    assert State("sre-1", "1", "us-east-1", "local", "", runs=(run,), verified_at=AFTER).valid_verified_at == proven

"""Verification judges the trace that it has caused."""

from __future__ import annotations

import pytest

from sre_agent_deploy.checks.verification.traces import Trace, TracesArrive

ASSISTANT, LOGS, CALL = "sre-agent-assistant", "sre-agent-logs", "call_tool"


@pytest.mark.parametrize(
    ("trace", "holds", "code"),
    [
        (Trace("1-2-3", (ASSISTANT, CALL, LOGS)), True, ""),
        (Trace("1-2-3", (ASSISTANT, CALL)), False, "TRACES-NOT-ARRIVED"),
        (Trace("1-2-3", (CALL, LOGS)), False, "TRACES-NOT-ARRIVED"),
        (Trace("1-2-3"), False, "TRACES-NOT-ARRIVED"),
        (Trace("1-2-3", searchable=True), None, "TRACES-NOT-SEEN"),
    ],
)
def test_a_trace(trace: Trace, holds: bool | None, code: str) -> None:
    """It has arrived if the assistant and a service are in it. Where Transaction Search keeps it, nothing is known of it."""
    verdict = TracesArrive().judge(trace)
    assert verdict.holds is holds
    assert "1-2-3" in (verdict.problem.what if verdict.problem else verdict.what)
    assert (verdict.problem.code if verdict.problem else "") == code

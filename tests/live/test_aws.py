"""The life of a deployment in an AWS account, step by step, by `make test-aws`. Each step asserts what the local suite asserts."""

from __future__ import annotations

import pytest

from behaviours.assertions import (
    assert_exchanged,
    assert_gone,
    assert_killed,
    assert_resumed,
    assert_served,
    assert_unchanged,
    assert_updated_under_load,
    assert_verified,
    running,
    secret_values,
)
from live.desk import TESTS
from live.run import LiveRun

pytestmark = [pytest.mark.live, pytest.mark.timeout(3 * 3600)]


def test_deploy(run: LiveRun) -> None:
    """The configuration deploys, and every required check passes."""
    assert_verified(run.desk.deploy("deploy", "--yes"))


def test_verify(run: LiveRun) -> None:
    """It verifies again, its question has arrived in X-Ray, clients trust the certificate, and a plan has nothing to do."""
    verified = run.desk.deploy("verify", "--report", "verification.xml")
    assert verified.code == 0, verified.text
    # Where the account has Transaction Search on, the check does not know.
    assert "ok   traces.arrive" in verified.text or "TRACES-NOT-SEEN" in verified.text
    assert_served(run.desk, run.statement.settings.domain)
    assert_unchanged(run.desk)


def test_kill(run: LiveRun) -> None:
    """An update is killed when AWS has started the new machine and nothing knows of it yet."""
    run.desk.write_config(run.statement.settings, run.statement.account_id, volume_gb=60)
    assert_killed(run.desk.run("behaviours.killed_at", "RunInstances", "committed", "deploy", "--yes", PYTHONPATH=TESTS))


def test_resume(run: LiveRun) -> None:
    """The update ends as an uninterrupted one would: one machine, verified, and nothing twice."""
    assert_resumed(run.desk, run.desk.deploy("resume", "--yes"), run.before)
    assert len(running(run.desk)) == 1
    assert_unchanged(run.desk)


def test_update(run: LiveRun) -> None:
    """Twenty clients lose no request while another machine takes over."""
    chosen = run.statement.settings
    run.desk.write_config(chosen, run.statement.account_id, volume_gb=70)
    assert_updated_under_load(run.desk, chosen.zone, run.desk.folder / "ca.pem", chosen.domain)
    assert len(running(run.desk)) == 1


def test_rotate(run: LiveRun) -> None:
    """API key and client secrets are other ones, the old ones are refused, and it verifies."""
    before = secret_values(run.desk)
    overlap = "6s" if run.statement.settings.endpoint else "1m"
    for part in ("api-key", "client-secret"):
        rotated = run.desk.deploy("rotate", part, "--overlap", overlap)
        assert rotated.code == 0, rotated.text
    assert_exchanged(run.desk, before, secret_values(run.desk))
    verified = run.desk.deploy("verify")
    assert verified.code == 0, verified.text


def test_cleanup(run: LiveRun) -> None:
    """Unfiltered listings show what was there before the run."""
    assert_gone(run.desk, run.desk.deploy("cleanup", "--yes"), run.before)

"""A deployment that fails is shown as failed by every command."""

from __future__ import annotations

import json
import signal
import time

from behaviours import lister
from behaviours.command_line import Desk


def begun(desk: Desk, *rules: dict[str, object]) -> None:
    """An AWS where instances run nothing, and where this goes wrong."""
    weather = desk.folder / "faults.json"
    weather.write_text(json.dumps({"rules": rules}))
    desk.start_aws("--no-boot", "--faults", str(weather))


def test_a_deployment_that_is_not_verified(desk: Desk) -> None:
    """Its run is not reported as a success, and there is nothing to resume: everything is there."""
    begun(desk)
    assert desk.deploy("deploy").code == 1
    assert "not verified" in desk.deploy("history").out
    status = desk.deploy("status").out
    assert ("Verified: not by the last run" in status, "resume" in status) == (True, False), status


def test_a_rollback_that_is_stopped(desk: Desk) -> None:
    """Ctrl-C ends it as it ends everything else, with what is under way finished; a cleanup takes back the rest."""
    begun(desk, {"kind": "quota", "operation": "RunInstances"}, {"kind": "delay", "operation": "Delete*", "seconds": 1})
    before = lister.everything(desk.client)
    process = desk.forked("sre_agent_deploy", "deploy", "--on-failure", "rollback")
    while not desk.state_file.exists() or '"dying"' not in desk.state_file.read_text():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert (process.returncode, "RUN-INTERRUPTED" in said, "Traceback" in said) == (130, True, False), said
    assert "interrupted" in desk.deploy("history").out
    cleaned = desk.deploy("cleanup", "--yes")
    assert cleaned.code == 0, cleaned.text
    assert lister.everything(desk.client) == before

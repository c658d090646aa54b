"""`cleanup`, as it is typed: it deletes one deployment, and none with a similar name."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.engine import Engine
from sre_agent_deploy.cli.root import main
from sre_agent_deploy.commands.cleanup import describe_unfinished
from sre_agent_deploy.engine.delete import CleanedUp
from sre_agent_deploy.journal import lock
from sre_core.problem import Problem

pytestmark = pytest.mark.usefixtures("folder")

PROBLEM = Problem(code="CLEANUP-NOT-OURS", what="It was not deleted.", why="It is not ours.", do=("Leave it.",))


@pytest.mark.parametrize("text", ["sre-", "s", "sre-c434f62d1", "sre-c434f62d1f/..", "../sre-c434f62d1f"])
def test_what_is_no_deployments_id(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A part of an id would be a part of other deployments' names too: it is refused before any search."""
    with pytest.raises(SystemExit) as ended:
        main(["cleanup", "--deployment-id", text, "--yes"])
    assert ended.value.code == 1
    assert "CLEANUP-NO-ID" in capsys.readouterr().err


def test_a_deployment_that_is_worked_on(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A deployment that a run is changing is not deleted by its id from another folder."""
    with lock.hold_lock(lock.deployment_lock("sre-0123456789"), "deploy"), pytest.raises(SystemExit) as ended:
        main(["cleanup", "--deployment-id", "sre-0123456789", "--yes"])
    shown = capsys.readouterr().err
    assert (ended.value.code, "STATE-LOCKED" in shown, "runs `deploy` since" in shown) == (1, True, True)
    assert list(folder.iterdir()) == []


def test_what_the_same_command_alone_does_not_help() -> None:
    """Each problem names first what to do first; a refused listing is not counted as a remaining resource."""
    said = "0 deleted. Not everything could be deleted: fix the problems above, then run the same command again."
    assert describe_unfinished(CleanedUp((), (PROBLEM,))) == said


def test_a_stop() -> None:
    """The number of remaining resources is unknown, so none is shown."""
    assert describe_unfinished(CleanedUp((), (PROBLEM,), stopped=True)) == "0 deleted before the stop."


def test_the_question(engine: Engine) -> None:
    """It shows each resource with the account and the region, and a key that was typed before it appeared is no answer."""
    engine.parts = ("backend_key", "address")
    engine.deploy()
    ours, its = pty.openpty()
    os.write(ours, b"y\n")
    command = [sys.executable, "-m", "sre_agent_deploy", "cleanup", "--deployment-id", engine.id]
    with subprocess.Popen(command, stdin=its, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        shown = ""
        while not shown.endswith("[y/N]: "):
            letter = process.stderr.read(1)
            assert letter, shown
            shown += letter
        os.write(ours, b"n\n")
        after = process.stderr.read()
        process.wait(60)
    os.close(its)
    os.close(ours)
    assert "account 123456789012, region us-east-1" in shown
    assert all(name in shown and engine.id_of(name) in shown for name in engine.parts)
    assert (process.returncode, after) == (1, "Nothing was deleted: you answered no.\n")
    assert engine.changes() == {}

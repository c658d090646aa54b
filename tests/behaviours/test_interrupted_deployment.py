"""Ctrl-C finishes the calls under way and says how to continue; a second one stops at once; the same command continues."""

from __future__ import annotations

import json
import re
import signal
import time

from behaviours import lister
from behaviours.command_line import Desk, Ended


def _interrupted(desk: Desk, times: int, *words: str, after: str = "create AWS::") -> Ended:
    """Press Ctrl-C once the first resource is created, or deleted."""
    process = desk.forked("sre_agent_deploy", *(words or ("deploy",)))
    assert process.stderr is not None
    seen = ""
    for line in process.stderr:
        seen += line
        if "  ok " in line and after in line:
            break
    for _ in range(times):
        process.send_signal(signal.SIGINT)
        if times > 1:
            seen += process.stderr.readline()
    out, err = process.communicate(timeout=120)
    return Ended(process.returncode, out, seen + err)


def test_interrupted_while_waiting(desk: Desk) -> None:
    """The command reports what it waits for and the deadline, and Ctrl-C ends the wait in every thread."""
    rules = desk.folder / "faults.json"
    rules.write_text(json.dumps({"rules": [{"kind": "throttle", "operation": "ListUserPools"}]}))
    assert desk.run("embedded_aws", "start", "--no-boot", "--state-dir", str(desk.state_dir), "--faults", str(rules)).code == 0
    process = desk.forked("sre_agent_deploy", "plan")
    assert process.stderr is not None
    # On a busy machine other waits take long enough to be reported, too.
    reported = ""
    while not re.search(r"user_pool +AWS throttles ListUserPools \(TooManyRequestsException\), gives up at \d\d:\d\d:\d\d", reported):
        line = process.stderr.readline()
        assert line, reported
        reported += line
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, out + err
    assert "RUN-INTERRUPTED" in err
    assert "Nothing needs to be undone: run the same command again." in err
    assert "`sre-agent-deploy resume`" not in err, "nothing was begun that could be resumed"


def test_interrupted_deployment_and_cleanup(desk: Desk) -> None:
    """Everything that exists is recorded, and the command says how to continue: to create the rest, or to delete it. Nothing is left."""
    assert desk.run("embedded_aws", "start", "--no-boot", "--state-dir", str(desk.state_dir)).code == 0
    before = lister.everything(desk.client)

    once = _interrupted(desk, 1)
    assert once.code == 130, once.text
    assert "RUN-INTERRUPTED" in once.err
    assert "sre-agent-deploy resume" in once.err
    status = desk.deploy("status")
    assert "interrupted" in status.out
    assert "Next: sre-agent-deploy resume" in status.out

    twice = _interrupted(desk, 2)
    assert twice.code == 130, twice.text
    assert "Traceback" not in twice.text

    # All is there, so nothing is to be resumed; but the instance runs nothing, so the run is no success.
    assert desk.deploy("deploy").code == 1
    assert "not verified" in desk.deploy("history").out
    status = desk.deploy("status")
    assert ("Verified: not by the last run" in status.out, "resume" in status.out) == (True, False), status.text

    # It gives no wrong number, and does not say how to create again what it deletes.
    stopped = _interrupted(desk, 1, "cleanup", "--yes", after="delete AWS::")
    assert stopped.code == 130, stopped.text
    assert "To delete the rest: run the same `sre-agent-deploy cleanup` again." in stopped.err
    assert "`sre-agent-deploy resume`" not in stopped.err
    assert " remain" not in stopped.err
    assert "Next: sre-agent-deploy cleanup" in desk.deploy("status").out
    resumed = desk.deploy("resume")
    assert (resumed.code, "RESUME-AFTER-CLEANUP" in resumed.err) == (1, True), resumed.text
    assert "To delete the rest: `sre-agent-deploy cleanup`." in resumed.err

    cleaned = desk.deploy("cleanup", "--yes")
    assert cleaned.code == 0, cleaned.text
    assert lister.everything(desk.client) == before


def test_interrupted_rollback(desk: Desk) -> None:
    """What is under way is finished, and a cleanup takes back the rest."""
    weather = desk.folder / "faults.json"
    rules = [{"kind": "quota", "operation": "CreateUserPool"}, {"kind": "delay", "operation": "Delete*", "seconds": 1}]
    weather.write_text(json.dumps({"rules": rules}))
    desk.start_aws("--no-boot", "--faults", str(weather))
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

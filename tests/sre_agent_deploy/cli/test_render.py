"""Events are shown in the form that fits the output: live on a terminal, as lines in a log, as JSON for programs."""

from __future__ import annotations

import contextlib
import json
import os
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from sre_agent_deploy.checks import Finding
from sre_agent_deploy.cli.render import show_plan, show_problems, show_report
from sre_agent_deploy.cli.terminal import Terminal
from sre_agent_deploy.plan import Action, Change, Difference, Plan
from sre_agent_deploy.progress import Event, Wait, name_end, run_interrupted
from sre_agent_deploy.report.render import markdown
from sre_agent_deploy.report.report import Report
from sre_core import clock
from sre_core.problem import Problem

PROBLEM = Problem(code="S3-QUOTA", what="No bucket was made.", why="There are too many.", do=("Delete one.",))
UNTIL = clock.now() + timedelta(minutes=3)
STARTED = Event("started", "gateway", "create AWS::BedrockAgentCore::Gateway")
WAITING = Event("waiting", "gateway", "AWS throttles CreateGateway (SlowDown)", wait=Wait("throttled", UNTIL, "CreateGateway", "SlowDown"))
DONE = Event("done", "bucket", "create AWS::S3::Bucket", 1.25)
FAILED = Event("failed", "gateway", STARTED.what, 2.0, PROBLEM)
EVENTS = (STARTED, WAITING, DONE, FAILED)


def test_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Finished steps scroll by; those under way are shown below, with what they wait for and until when."""
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as terminal, contextlib.redirect_stderr(terminal), Terminal().progress() as observe:
        for event in EVENTS[:3]:
            observe(event)
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", _all_of(ours).decode())
    assert "  ok   bucket                       create AWS::S3::Bucket  (1.2 s)" in shown
    assert f"AWS throttles CreateGateway (SlowDown), gives up at {UNTIL.astimezone():%H:%M:%S}" in " ".join(shown.split())


def test_on_a_dumb_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that can't move its cursor, as in an editor, shows the same lines as a log."""
    monkeypatch.setenv("TERM", "dumb")
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as terminal, contextlib.redirect_stderr(terminal), Terminal().progress() as observe:
        for event in EVENTS[:3]:
            observe(event)
    waiting, done = _all_of(ours).decode().splitlines()
    assert f"AWS throttles CreateGateway (SlowDown), gives up at {UNTIL.astimezone():%H:%M:%S}" in waiting
    assert done == "  ok   bucket                       create AWS::S3::Bucket  (1.2 s)"


def _all_of(terminal: int) -> bytes:
    """Read everything that was written to a terminal whose other end is closed: it comes in pieces, and then an error."""
    parts = []
    with contextlib.suppress(OSError):
        while part := os.read(terminal, 4096):
            parts.append(part)
    os.close(terminal)
    return b"".join(parts)


def test_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each end and each wait, on standard error; a start is not shown."""
    with Terminal().progress() as observe:
        for event in EVENTS:
            observe(event)
    said = capsys.readouterr()
    waiting, done, failed = said.err.splitlines()
    assert waiting.endswith(f"gives up at {UNTIL.astimezone():%H:%M:%S}")
    assert (done.split()[:2], failed.split()[:2]) == (["ok", "bucket"], ["FAIL", "gateway"])
    assert said.out == ""


def test_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """One JSON document for each event, on standard output; a wait says its kind, its call and its end."""
    with Terminal(as_json=True).progress() as observe:
        for event in EVENTS:
            observe(event)
    started, waiting, done, failed = map(json.loads, capsys.readouterr().out.splitlines())
    assert (started["event"], started["name"]) == ("started", "gateway")
    assert waiting["wait"] == {"kind": "throttled", "until": clock.stamp(UNTIL), "operation": "CreateGateway", "code": "SlowDown"}
    assert (done["event"], done["seconds"]) == ("done", 1.25)
    assert (failed["event"], failed["problem"]["code"]) == ("failed", "S3-QUOTA")


def test_one_error_of_many_resources(capsys: pytest.CaptureFixture[str]) -> None:
    """For people it is shown once, with all resources and every request id; for programs once for each resource."""
    many = [replace(PROBLEM, context={"resource": name}, request_id=f"request-{name}") for name in ("a", "b")]
    other = replace(PROBLEM, why="It is another reason.")
    show_problems([*many, other])
    shown = capsys.readouterr().err
    assert (shown.count("S3-QUOTA: "), shown.count("There are too many."), shown.count("another reason")) == (2, 1, 1)
    assert "resource: a, b" in shown
    assert "AWS request id: request-a, request-b" in shown
    show_problems([*many, other], as_json=True)
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_a_check_that_was_not_tried(capsys: pytest.CaptureFixture[str]) -> None:
    """It did not fail: it has a sign and a number of its own, and its problem is in the report only, unless it is required."""
    with Terminal().progress() as observe:
        observe(Event("unknown", "access.expired_token", "not tried: tokens live 60 minutes", 0.5, PROBLEM))
    assert capsys.readouterr().err == "  ?    access.expired_token         not tried: tokens live 60 minutes  (0.5 s)\n"
    optional = Finding("access.expired_token", "unknown", "not tried", (), required=False, problem=PROBLEM)
    report = Report("sre-1", "us-east-1", "local", "https://a", (), (Finding("a.b", "passed", "it holds"), optional), clock.stamp())
    show_report(report)
    said = capsys.readouterr()
    assert (said.out, said.err) == ("\nDeployment sre-1 is verified: 1 check passed, 1 not tried.\n", "")
    written = markdown(report)
    assert ("## What was not tried" in written, "## What failed" in written, "Delete one." in written) == (True, False, True)
    show_report(replace(report, findings=(replace(optional, required=True),)))
    assert "Delete one." in capsys.readouterr().err


def test_what_the_user_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    """A step that the user stopped did not fail: it only waited."""
    with Terminal().progress() as observe:
        observe(Event(name_end(run_interrupted()), "instance", "delete AWS::EC2::Instance", 2.0))
    assert capsys.readouterr().err.startswith("  stop instance ")


def test_a_plan_with_problems(capsys: pytest.CaptureFixture[str]) -> None:
    """A resource that could not be read is not in the plan, so the plan is marked as incomplete."""
    show_plan(Plan("sre-1", (), (PROBLEM,)))
    assert "This is not all" in capsys.readouterr().out
    show_plan(Plan("sre-1", ()))
    assert "This is not all" not in capsys.readouterr().out


def test_a_plan(capsys: pytest.CaptureFixture[str]) -> None:
    """Each change with its reason, its differences and what it loses; then how many there are of each."""
    changes = (
        Change("bucket", "AWS::S3::Bucket", Action.DELETE, "nothing asks for it any more", loses="data"),
        Change("gateway", "K", Action.UPDATE, "its description differs", (Difference("description", "old", "new"),)),
        Change("gateway_role", "K", Action.KEEP, "AWS already matches", loses="data"),
    )
    show_plan(Plan("sre-1", changes, ()))
    assert "gateway_role" not in (folded := capsys.readouterr().out)
    assert "`plan -v` lists it" in folded
    show_plan(Plan("sre-1", changes, ()), every=True)
    said = capsys.readouterr().out
    assert "- delete  bucket                     nothing asks for it any more  (loses data)" in said
    assert "      description: old -> new" in said
    assert "= keep    gateway_role               AWS already matches\n" in said
    assert "1 to update, 1 to keep, 1 to delete" in said


@pytest.mark.parametrize(
    ("status", "verdict"), [("passed", "is verified: 1 check passed."), ("failed", "is NOT verified: no checks passed, 1 failed.")]
)
def test_a_report(status: str, verdict: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The verdict, and the problem of what failed with its next step; for programs the whole report."""
    finding = Finding("endpoint.tls", status, "TLS", ("5.1",), True, None if status == "passed" else PROBLEM)  # type: ignore[arg-type]
    report = Report("sre-1", "us-east-1", "local", "https://a", (), (finding,), clock.stamp())
    show_report(report)
    said = capsys.readouterr()
    assert verdict in said.out
    assert ("Delete one." in said.err) == (status == "failed")
    show_report(report, as_json=True)
    assert json.loads(capsys.readouterr().out)["report"]["deployment"] == "sre-1"

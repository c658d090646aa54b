"""Conversation: questions that continue, sessions, and reports that are kept."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from sre_agent import archive, connection
from sre_agent.ask import Reply
from sre_agent.cli.root import command
from sre_agent.sessions.session import CONTINUES_FOR, Turn
from sre_agent.sessions.sqlite import SqliteSessions
from sre_core import clock
from sre_core.problem import Problem, Refused

REPORT = {
    "investigation_id": "inv-0123abcd", "kind": "health", "subject": {"name": "cart-service", "namespace": "shop"},
    "prompt": "Is cart healthy?", "headline": "cart-service is healthy", "verdict": "answered", "finished_at": "2026-11-26T10:30:00Z",
    "root_cause": None, "evidence": [],
}  # fmt: skip


def test_a_session_is_kept(tmp_path: Path) -> None:
    """The next command knows the question before, another session does not; only its owner can read it."""
    sessions = SqliteSessions(tmp_path / "state")
    assert sessions.last("one") is None
    assert sessions.add("one", Turn.create("Is cart healthy?", REPORT)) is None
    last = SqliteSessions(tmp_path / "state").last("one")
    assert isinstance(last, Turn)
    assert last.to_json() == {"kind": "health", "subject": "cart-service", "namespace": "shop", "prompt": "Is cart healthy?"}
    assert sessions.last("two") is None
    assert (tmp_path / "state" / "sessions.sqlite3").stat().st_mode & 0o077 == 0


def test_a_session_that_can_not_be_kept(tmp_path: Path) -> None:
    """A file that is no database, or a folder that is none, costs the continuation and not the answer."""
    (tmp_path / "sessions.sqlite3").write_text("no database, but a text that is long enough to be read as a header of one")
    (tmp_path / "file").write_text("")
    for folder in (tmp_path, tmp_path / "file"):
        problem = SqliteSessions(folder).add("one", Turn.create("?", REPORT))
        assert problem and problem.code == "SESSION-NOT-KEPT"
    assert isinstance(SqliteSessions(tmp_path).last("one"), Problem)


def test_a_question_of_long_ago() -> None:
    """After an hour a question of no chat continues nothing."""
    assert timedelta(minutes=10) < CONTINUES_FOR <= timedelta(hours=2)
    asked = Turn.create("?", REPORT)
    assert asked.is_younger(CONTINUES_FOR)
    assert not replace(asked, at=clock.stamp(clock.now() - CONTINUES_FOR - timedelta(minutes=1))).is_younger(CONTINUES_FOR)


def test_reports_and_report(tmp_path: Path) -> None:
    """Each kept report is listed with its answer and can be read again; a damaged file hides no other."""
    archive.save_report(tmp_path, Reply("# short\n", "# whole\n", REPORT))
    (tmp_path / "inv-99999999.json").write_text("{")
    run = CliRunner().invoke
    listed = run(command, ["--output-dir", str(tmp_path), "reports"])
    assert listed.output.splitlines() == ["inv-0123abcd 2026-11-26T10:30:00Z Is cart healthy?", "    cart-service is healthy"]
    assert [one["id"] for one in json.loads(run(command, ["--output-dir", str(tmp_path), "reports", "--json"]).output)] == ["inv-0123abcd"]
    assert run(command, ["--output-dir", str(tmp_path), "report", "inv-0123abcd"]).output == "# whole\n"
    assert json.loads(run(command, ["--output-dir", str(tmp_path), "report", "inv-0123abcd", "--json"]).output) == REPORT
    missing = run(command, ["--output-dir", str(tmp_path), "report", "../../etc/passwd"])
    assert (missing.exit_code, missing.stderr.startswith("REPORT-UNKNOWN")) == (1, True)


@pytest.mark.parametrize("names", [("sre-1111111111", "sre-2222222222")])
def test_two_deployments(tmp_path: Path, names: tuple[str, ...]) -> None:
    """The deployment is never guessed: the Problem names them."""
    (tmp_path / "connections").mkdir()
    for name in names:
        (tmp_path / "connections" / f"{name}.json").write_text("{}")
    with pytest.raises(Refused) as refused:
        connection.choose(file=None, deployment=None, state=tmp_path)
    assert refused.value.problems[0].code == "DEPLOYMENT-AMBIGUOUS"
    assert all(name in refused.value.problems[0].what for name in names)

"""The report of a run: what it says was created, and where it is when it can't be written."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from itertools import islice
from pathlib import Path

import pytest

from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.user import User
from sre_agent_deploy.commands.verify import fill_in_ids, keep_report, watch_deployment
from sre_agent_deploy.journal import Journal
from sre_agent_deploy.journal.state import Record, State
from sre_agent_deploy.journal.store import FileStore
from sre_agent_deploy.plan import Action, Change, Plan
from sre_agent_deploy.report.render import markdown
from sre_agent_deploy.report.report import Report
from sre_core.problem import Problem

KIND = "AWS::EC2::Instance"


def recorded(*ids: str) -> dict[str, Record]:
    """One generation of the instance for each id, the oldest first."""
    records = (Record("instance", KIND, number, "token", "ready", "2026-11-22T15:00:00Z", id=id) for number, id in enumerate(ids, 1))
    return {record.key: record for record in records}


def test_generations_side_by_side(tmp_path: Path) -> None:
    """Each line has the id of its own generation: of what was made, and of what was deleted because something newer took its place."""
    state = State("sre-1", "123456789012", "us-east-1", "local", "c", records=recorded("i-first", "i-second", "i-third"))
    replaced = Change("instance", KIND, Action.REPLACE, "image_id", id="i-second", generation=2, next_generation=3)
    superseded = Change("instance", KIND, Action.DELETE, "a newer generation runs", id="i-first", generation=1)
    filled = fill_in_ids(Plan("sre-1", (replaced, superseded)), Journal(FileStore(tmp_path / "state"), state))
    assert [change.id for change in filled.changes] == ["i-third", "i-first"]


class Reader(User):
    """Reads everything that is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    def note(self, line: str) -> None:
        self.read.append(line)

    def show_problems(self, problems: Iterable[Problem]) -> None:
        self.read += (problem.code for problem in problems)


def test_watching_without_a_deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The obstacle to a verification is shown, and the next one is tried."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SRE_AGENT_STATE_DIR", str(tmp_path / "state"))
    reader = Reader()
    seen = list(islice(watch_deployment(Request(), reader, timedelta()), 2))
    assert [(result.success, len(result.problems)) for result in seen] == [(False, 1)] * 2
    assert reader.read == [result.problems[0].code for result in seen]


def test_a_report_that_can_not_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is shown whole, with the problem: a full disk loses no result."""
    monkeypatch.setenv("SRE_AGENT_STATE_DIR", str(tmp_path))
    report, reader = Report("sre-1", "us-east-1", "local", "https://a", (), ()), Reader()
    assert keep_report(report, reader) == tmp_path / "reports" / "sre-1" / "verification.md"
    assert reader.read == []
    (tmp_path / "reports").rename(tmp_path / "other")
    (tmp_path / "reports").write_text("a file")
    assert keep_report(report, reader) is None
    assert reader.read == [markdown(report), "FILE-REFUSED"]

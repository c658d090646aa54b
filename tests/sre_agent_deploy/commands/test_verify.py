"""What the report of a run says was made."""

from __future__ import annotations

from pathlib import Path

from sre_agent_deploy.commands.verify import fill_in_ids
from sre_agent_deploy.journal.file_store import FileStore
from sre_agent_deploy.journal.journal import Journal
from sre_agent_deploy.journal.state import Record, State
from sre_agent_deploy.plan import Action, Change, Plan

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

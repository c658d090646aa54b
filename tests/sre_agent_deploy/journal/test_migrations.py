"""A state that an earlier version wrote is understood, step by step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sre_agent_deploy.journal import migrations
from sre_agent_deploy.journal.document import parse_state, render_state
from sre_agent_deploy.journal.record import State

FORMATS = Path(__file__).parent / "formats"


@pytest.mark.parametrize("schema", range(1, migrations.SCHEMA + 1))
def test_every_format_there_ever_was(schema: int) -> None:
    """Its state is kept as an example, and loads with everything that a resumption needs."""
    state = parse_state((FORMATS / f"{schema}.json").read_bytes(), "state")
    assert isinstance(state, State), state
    assert state.schema == migrations.SCHEMA
    assert [(record.name, record.phase) for record in state.alive()] == [("bucket", "ready"), ("user_pool", "intended")]
    assert parse_state(render_state(state), "state") == state


def test_the_chain() -> None:
    """Each step gets what the one before it made, and the number follows."""

    def renamed(old: str, new: str) -> migrations.Step:
        def step(document: dict[str, Any]) -> dict[str, Any]:
            return {**{key: value for key, value in document.items() if key != old}, new: document[old]}

        return step

    steps = (renamed("a", "b"), renamed("b", "c"))
    assert migrations.migrate({"schema": 1, "a": 7}, steps) == {"schema": 3, "c": 7}
    assert migrations.migrate({"schema": 2, "b": 7}, steps) == {"schema": 3, "c": 7}
    assert migrations.migrate({"schema": 3, "c": 7}, steps) == {"schema": 3, "c": 7}


@pytest.mark.parametrize("schema", [0, -1, "1", None, 2**40])
def test_a_format_that_never_was(schema: Any) -> None:
    """It is damaged or too new, never guessed at."""
    document = {**json.loads((FORMATS / "1.json").read_text()), "schema": schema}
    assert not isinstance(parse_state(json.dumps(document).encode(), "state"), State)

"""A state that an earlier version wrote is migrated step by step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sre_agent_deploy.journal.state import SCHEMA, State, Step, migrate, parse_state, render_state

FORMATS = Path(__file__).parent / "formats"


@pytest.mark.parametrize("schema", range(1, SCHEMA + 1))
def test_every_format_there_ever_was(schema: int) -> None:
    """Its example state is kept, and loads with everything that `resume` needs."""
    state = parse_state((FORMATS / f"{schema}.json").read_bytes(), "state")
    assert isinstance(state, State), state
    assert state.schema == SCHEMA
    assert [(record.name, record.phase) for record in state.alive()] == [("bucket", "ready"), ("user_pool", "intended")]
    assert parse_state(render_state(state), "state") == state


def test_the_chain() -> None:
    """Each step gets the result of the one before it, and the format number follows."""

    def rename(old: str, new: str) -> Step:
        def step(document: dict[str, Any]) -> dict[str, Any]:
            return {**{key: value for key, value in document.items() if key != old}, new: document[old]}

        return step

    steps = (rename("a", "b"), rename("b", "c"))
    assert migrate({"schema": 1, "a": 7}, steps) == {"schema": 3, "c": 7}
    assert migrate({"schema": 2, "b": 7}, steps) == {"schema": 3, "c": 7}
    assert migrate({"schema": 3, "c": 7}, steps) == {"schema": 3, "c": 7}


@pytest.mark.parametrize("schema", [0, -1, "1", None, 2**40])
def test_a_format_that_never_was(schema: Any) -> None:
    """It is damaged or too new, and never guessed."""
    document = {**json.loads((FORMATS / "1.json").read_text()), "schema": schema}
    assert not isinstance(parse_state(json.dumps(document).encode(), "state"), State)

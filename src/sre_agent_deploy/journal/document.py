"""The state as bytes, wherever they are kept: written whole, and read only when understood (pure)."""

from __future__ import annotations

import json

from sre_agent_deploy.journal.migrations import SCHEMA, migrate
from sre_agent_deploy.journal.record import State
from sre_core.problem import Problem


def render_state(state: State) -> bytes:
    """The document of a state."""
    return json.dumps(state.to_json(), indent=1).encode()


def parse_state(document: bytes, place: str) -> State | Problem:
    """The state that a document at `place` holds, of this format or an earlier one, or why it can't be used."""
    try:
        value = json.loads(document)
        if isinstance(value, dict) and isinstance(value.get("schema"), int) and value["schema"] > SCHEMA:
            return _too_new(place, value["schema"])
        return State.from_json(migrate(value))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return _damaged(place, error)


def _too_new(place: str, schema: int) -> Problem:
    return Problem(
        code="STATE-TOO-NEW",
        what=f"The state file {place} has format {schema}; this version knows formats up to {SCHEMA}.",
        why="A newer version of sre-agent-deploy wrote it.",
        do=("Use that newer version, or upgrade this one.", "Nothing was changed."),
    )


def _damaged(place: str, error: Exception) -> Problem:
    return Problem(
        code="STATE-DAMAGED",
        what=f"The state file {place} is not a deployment's state.",
        why=f"It was cut off, edited, or is another kind of file ({type(error).__name__}: {error}).",
        do=(
            f"Put back a good copy; or move it away (to {place}.damaged) and run the same command again:"
            " what exists is found by its tags and adopted.",
            "Nothing was changed, the file included.",
        ),
    )

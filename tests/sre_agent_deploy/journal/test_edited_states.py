"""A state file that was edited is valid in every value, or it is reported as damaged."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sre_agent_deploy.journal.state import State, parse_state
from sre_core.problem import Problem

GOOD = json.loads((Path(__file__).parent / "formats" / "2.json").read_text())
del GOOD["checksum"]
ODD: tuple[Any, ...] = (None, 7, -1.5, True, "planted-words", [], [7], {}, {"x": 7})


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to every value in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inner:
        yield (*path, key)
        yield from places(below, (*path, key))


def edited(path: tuple[Any, ...], value: Any) -> bytes:
    document = copy.deepcopy(GOOD)
    at = document
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize("path", list(places(GOOD)), ids=lambda path: ".".join(map(str, path)))
def test_any_value_that_is_another(path: tuple[Any, ...]) -> None:
    """With any other value in its place it is a state of the same shape, or a Problem that repeats only a wrong format's name."""
    for value in ODD:
        outcome = parse_state(edited(path, value), "state")
        if isinstance(outcome, State):
            assert outcome.to_json() == json.loads(edited(path, value))
        else:
            assert outcome.code in ("STATE-DAMAGED", "STATE-TOO-NEW")
            assert "planted-words" not in str(outcome) or path == ("schema",)


@pytest.mark.parametrize("path", [path for path in places(GOOD) if path[-1] in ("mode", "generation", "named", "outputs", "aws", "runs")])
def test_types_that_commands_rely_on(path: tuple[Any, ...]) -> None:
    """Types are checked when the file is read, so that no command fails on them later."""
    assert isinstance(parse_state(edited(path, 7.5), "state"), Problem)


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "sre 1", "sre/1"])
def test_a_deployment_that_is_a_path(name: str) -> None:
    """The id becomes the name of files, so an id that is a path is refused."""
    assert isinstance(parse_state(edited(("deployment",), name), "state"), Problem)


def test_what_is_not_known() -> None:
    """An unknown field is not ignored, and a record under another key is refused."""
    assert isinstance(parse_state(edited(("more",), "x"), "state"), Problem)
    moved = {**GOOD, "records": {"bucket-2": GOOD["records"]["bucket-1"]}}
    assert isinstance(parse_state(json.dumps(moved).encode(), "state"), Problem)

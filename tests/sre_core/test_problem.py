"""A problem has a next step, and one rendering for people and one for programs."""

from __future__ import annotations

import json

import pytest

from sre_core.problem import Problem, Refused, Where

PROBLEM = Problem(
    code="S3-NAME-TAKEN",
    what="Bucket b was not created.",
    why="Another account owns it.",
    do=("Choose another name.", "Run it again."),
    where=Where("config.yaml", 3, 9, "bucket: b\n        ^"),
    request_id="R1",
)


def test_advice_can_not_be_forgotten() -> None:
    """A problem without a next step is our bug, and is none of the user's."""
    with pytest.raises(ValueError, match="S3-NAME-TAKEN has no next step"):
        Problem(code="S3-NAME-TAKEN", what="w", why="y", do=())


def test_people_read_the_first_step_first() -> None:
    """Code, place with its excerpt, cause, then what to do, in this order."""
    lines = str(PROBLEM.with_context(region="eu-west-1")).splitlines()
    assert lines == [
        "S3-NAME-TAKEN: Bucket b was not created.",
        "  at config.yaml:3:9",
        "    bucket: b",
        "            ^",
        "  why: Another account owns it.",
        "  do:  Choose another name.",
        "       Run it again.",
        "  region: eu-west-1",
        "  AWS request id: R1",
    ]


def test_programs_read_the_same() -> None:
    """The JSON says as much as the text, and leaves out what is absent."""
    parts = json.loads(json.dumps(PROBLEM.to_json()))
    assert parts["do"] == ["Choose another name.", "Run it again."]
    assert (parts["where"], parts["request_id"]) == ("config.yaml:3:9", "R1")
    assert not parts.keys() & {"context", "aws_docs"}


def test_several_travel_together() -> None:
    """One refusal has all problems at once."""
    assert Refused(PROBLEM, PROBLEM).problems == (PROBLEM, PROBLEM)

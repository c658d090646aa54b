"""Any arguments get a useful answer: never an internal error."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre_services import openapi
from sre_services.answer import CAP_BYTES
from sre_services.cli import SERVICES

from .conftest import Asked

OPERATIONS = [
    (name, path, item["get"])
    for name in SERVICES
    for path, item in json.loads(openapi.document_path(name).read_text(encoding="utf-8"))["paths"].items()
]
TEXTS = st.one_of(
    st.text(max_size=120),
    st.sampled_from(
        ["", " ", "all", "15m", "0s", "999999w", "now", "payment-service", "2026-11-20T10:00:00Z", "error|timeout", "(", "a{9", "*", "\\"]
    ),
    st.sampled_from(
        ["0001-01-01", "9999-12-31T23:59:59Z", "1970-01-01/9999-12-31", "2h/1h", "/", "2026-11-20T10:00:00+23:59", "nan", "inf", "-1"]
    ),
    st.datetimes().map(lambda moment: moment.isoformat()),
    st.integers(-5, 10_000).map(str),
)


def values(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    """Mostly what the document allows, and sometimes anything."""
    if "enum" in schema:
        return st.one_of(st.sampled_from(schema["enum"]), TEXTS)
    if schema["type"] in ("integer", "number"):
        return st.one_of(st.integers(schema.get("minimum", 0), schema.get("maximum", 9)).map(str), TEXTS)
    return TEXTS


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, str, dict[str, str]]:
    name, path, operation = draw(st.sampled_from(OPERATIONS))
    chosen = {parameter["name"]: draw(values(parameter["schema"])) for parameter in operation["parameters"] if draw(st.integers(0, 3))}
    if draw(st.integers(0, 9)) == 0:
        chosen[draw(st.text(min_size=1, max_size=20))] = draw(TEXTS)
    return name, path, chosen


@pytest.mark.parametrize("recording", ["crash-loop", "memory-leak"])
def test_any_call(ask: Callable[..., Asked], recording: str) -> None:
    """Any arguments give an answer of bounded size or a 400 that says, for each fault, what to do."""

    @settings(max_examples=max(150, settings.default.max_examples if settings.default else 0))
    @given(calls())
    def check(call: tuple[str, str, dict[str, str]]) -> None:
        name, path, arguments = call
        answer = ask(name, recording).client.get(path, params=arguments)
        body = answer.json()
        if answer.status_code == 200:
            assert len(answer.content) <= CAP_BYTES
            assert {"as_of", "summary", "items", "total", "truncated"} <= set(body)
            assert body["items"] or body["note"]
        else:
            assert answer.status_code == 400
            assert body["error"]["code"] == "BAD-ARGUMENTS"
            assert len(body["error"]["do"]) == len(body["error"]["faults"]) >= 1

    check()


@pytest.mark.parametrize(("name", "path", "operation"), OPERATIONS, ids=[operation["operationId"] for _, _, operation in OPERATIONS])
@pytest.mark.parametrize("recording", ["crash-loop", "memory-leak", "healthy"])
def test_first_look(ask: Callable[..., Asked], recording: str, name: str, path: str, operation: dict[str, Any]) -> None:
    """Every operation answers without optional arguments, within the cap."""
    needed = {"playbook_id": "crash-looping-pods"} if operation["operationId"] == "get_incident_playbook" else {}
    answer = ask(name, recording).client.get(path, params=needed)
    assert answer.status_code == 200
    assert len(answer.content) <= CAP_BYTES

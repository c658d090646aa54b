"""Where a path leads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded_aws.instances.routing import Destination, Refusal, find_destination
from sre_core.machine import Route

ROUTES = (Route("/", "assistant"), Route("/api/logs/", "logs"), Route("/api/logs/archive/", "archive"))


@pytest.mark.parametrize(
    ("path", "service", "asked"),
    [
        ("/", "assistant", "/"),
        ("/ping", "assistant", "/ping"),
        ("/api/logs", "assistant", "/api/logs"),
        ("/api/logs/", "logs", "/"),
        ("/api/logs/openapi.json", "logs", "/openapi.json"),
        ("/api/logs/archive/2026", "archive", "/2026"),
        ("/api/logs/a%20b%3Fc", "logs", "/a%20b%3Fc"),
        ("/api/logsx/y", "assistant", "/api/logsx/y"),
    ],
)
def test_the_longest_prefix(path: str, service: str, asked: str) -> None:
    """The longest route wins and is replaced by a slash; escapes stay as they were sent."""
    assert find_destination(path, ROUTES) == Destination(service, asked)


@pytest.mark.parametrize(
    "path",
    [
        "/api/logs/../x",
        "/..",
        "/.",
        "/a/./b",
        "/%2e%2e/x",
        "/a/.%2E/b",
        "/api%2Flogs/x",
        "/a%5cb",
        "/a\\b",
        "//a",
        "/a//b",
        "/a%00",
        "",
        "x",
        "*",
    ],
)
def test_a_path_with_two_meanings(path: str) -> None:
    """It is refused, so that no service can read it differently from the front door."""
    answer = find_destination(path, ROUTES)
    assert isinstance(answer, Refusal)
    assert answer.status == 400


def test_no_route() -> None:
    """A listener with one service publishes nothing else."""
    answer = find_destination("/b", (Route("/a/", "a"),))
    assert isinstance(answer, Refusal)
    assert answer.status == 404


@given(st.text(alphabet="/.%2eEfF5cC0apilogs\\", max_size=30))
def test_any_path(path: str) -> None:
    """A path that reaches a service has one meaning: it starts with one slash and never leaves its folder."""
    answer = find_destination("/" + path, ROUTES)
    if isinstance(answer, Destination):
        assert answer.path.startswith("/")
        assert not answer.path.startswith("//")
        assert not {".", ".."} & set(answer.path.lower().replace("%2e", ".").replace("%2f", "/").split("/"))

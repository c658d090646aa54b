"""The subject, time and namespace of a question."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sre_agent.scope import DEFAULT_LOOKBACK, find_service, parse_prompt

NOW = datetime(2026, 11, 22, 14, 35, tzinfo=UTC)


@pytest.mark.parametrize(
    ("prompt", "lookback"),
    [
        ("What is wrong?", DEFAULT_LOOKBACK),
        ("errors in the last 30 minutes", timedelta(minutes=30)),
        ("errors in the last hour", timedelta(hours=1)),
        ("it broke 3 hours ago", timedelta(hours=3)),
        ("slow since 13:35", timedelta(hours=1, minutes=30)),
        ("at 20:05 it broke", timedelta(hours=19)),
        ("it was fine before 13:35", timedelta(hours=3, minutes=30)),
        ("since 2026-11-22T13:05:00Z", timedelta(hours=2)),
        ("over the past 90 days", timedelta(days=7)),
        ("last 1 minute", timedelta(minutes=15)),
    ],
)
def test_time(prompt: str, lookback: timedelta) -> None:
    """Durations, clock times and instants set how far to look back, within limits; what led to a named moment is included."""
    scope = parse_prompt(prompt, NOW)
    assert (scope.lookback, scope.until) == (lookback, None)


def test_two_instants() -> None:
    """Two instants are a window of their own, in any order."""
    scope = parse_prompt("between 2026-11-20T10:00:00Z and 2026-11-20T09:00:00Z", NOW)
    assert scope.window == "2026-11-20T09:00:00Z/2026-11-20T10:00:00Z"
    assert scope.since(NOW) == datetime(2026, 11, 20, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("prompt", "namespace"),
    [
        ("pods in namespace shop crash", "shop"),
        ("pods in the payments namespace", "payments"),
        ("namespace: `team-a`", "team-a"),
        ("which namespace is broken", ""),
        ("what namespaces are there", ""),
        ("pods in every namespace", "all"),
        ("which namespace has most pods", ""),
        ("in which namespace does orders run", ""),
        ("what is in this namespace", ""),
        ("nothing named", ""),
    ],
)
def test_namespace(prompt: str, namespace: str) -> None:
    """A namespace counts when it is named as one."""
    assert parse_prompt(prompt, NOW).namespace == namespace


@pytest.mark.parametrize(
    ("prompt", "service"),
    [
        ("why does cart-service fail", "cart-service"),
        ("why does cart fail", "cart-service"),
        ("cart-service-canary is fine", ""),
        ("Is cart-service-db slow?", "cart-service-db"),
        ("users can't pay", ""),
    ],
)
def test_service(prompt: str, service: str) -> None:
    """The service whose name is in the question, whole or without what all names have in common."""
    assert find_service(prompt, ["cart-service", "cart-service-db", "web"]) == service

"""A client may be refused only so often before it must wait."""

from __future__ import annotations

from sre_core.refusal_limit import AT_MOST, CLIENTS, SECONDS, RefusalLimit


def test_after_a_minute_it_begins_again() -> None:
    """The wait that is named is enough."""
    moment = 0.0
    limit = RefusalLimit(lambda: moment)
    waits = [limit.count("a") for _ in range(AT_MOST + 1)]
    assert waits == [0] * AT_MOST + [SECONDS]
    assert limit.count("b") == 0
    moment = float(waits[-1])
    assert limit.count("a") == 0


def test_memory_has_a_bound() -> None:
    """With any number of clients the oldest are forgotten."""
    limit = RefusalLimit(lambda: 0.0)
    for number in range(CLIENTS * 2):
        limit.count(str(number))
    assert len(limit._counts) == CLIENTS

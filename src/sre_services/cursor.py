"""Cursors: where the answer before was cut, so that the next one continues there and looks at the same time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain

from sre_services.syntax import CURSOR

# What tells one item from another: the rest of it may change from one answer to the next.
_NAMES = (
    "cluster", "source", "kind", "namespace", "name", "pod", "container", "node", "component", "id", "playbook_id", "service", "peer",
    "metric", "labels", "quantile", "group", "start", "pattern", "template", "object", "reason", "last_timestamp", "time",
)  # fmt: skip


class OtherQuestion(Exception):
    """Raised for a cursor of another operation, or of other arguments: it would leave out what was never shown."""


@dataclass(frozen=True)
class Cursor:
    """The number of items that were shown, the last of them, the moment from which durations are counted back, and the question."""

    shown: int = 0
    last: str = ""
    until: datetime | None = None
    question: str = ""

    def find_next(self, items: Sequence[object]) -> int:
        """Find the index of the next item: after the last one where that still is, else after as many."""
        if not self.last:
            return 0
        # It is mostly where it was.
        near = chain(range(max(self.shown - 1, 0), len(items)), range(min(max(self.shown - 1, 0), len(items))))
        return next((index + 1 for index in near if _identify(items[index]) == self.last), self.shown)

    def advance(self, items: Sequence[object], shown: int, as_of: datetime) -> str:
        """Write the cursor that continues after the first `shown` items."""
        last = _identify(items[shown - 1]) if 0 < shown <= len(items) else "0" * 8
        return f"{shown}-{last}-{int((self.until or as_of).timestamp() * 1000)}-{self.question or '0' * 4}"


_START = Cursor()
_current: ContextVar[Cursor] = ContextVar("cursor", default=_START)


def parse_cursor(text: str) -> Cursor:
    """Parse a cursor; an empty text is the beginning. Raises ValueError."""
    if not (given := CURSOR.check(text)):
        return _START
    shown, last, until, question = given.split("-")
    return Cursor(int(shown), last, datetime.fromtimestamp(int(until) / 1000, UTC), question)


def identify_question(operation: str, arguments: Mapping[str, str]) -> str:
    """Identify an operation with its arguments, without the cursor and those that are empty."""
    given = sorted((name, value.strip(" ")) for name, value in arguments.items() if name != "cursor" and value.strip(" "))
    return hashlib.blake2b(repr((operation, given)).encode("utf-8", "replace"), digest_size=2).hexdigest()


def current_cursor() -> Cursor:
    """Return the cursor of the question that is being answered."""
    return _current.get()


@contextmanager
def reading_from(text: str, question: str = "") -> Iterator[None]:
    """Answer one question from this cursor. Raises ValueError, and OtherQuestion."""
    cursor = parse_cursor(text)
    if cursor != _START and question not in {"", cursor.question}:
        raise OtherQuestion("is of another question: give it with the arguments of the answer that it is from, or leave it out")
    token = _current.set(replace(cursor, question=question))
    try:
        yield
    finally:
        _current.reset(token)


def count_back_from(as_of: datetime) -> datetime:
    """Return the moment from which durations are counted back: that of the first answer where this one continues it."""
    return _current.get().until or as_of


def _identify(item: object) -> str:
    parts = [repr(getattr(item, name)) for name in _NAMES if getattr(item, name, None)] or [repr(item)]
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=4).hexdigest()

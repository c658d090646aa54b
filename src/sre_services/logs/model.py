"""The model of logs, and what a provider of logs must answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, Protocol

from sre_services.logs.pattern import Pattern
from sre_services.timespan import Window

LEVELS = ("FATAL", "ERROR", "WARN", "INFO", "DEBUG", "UNKNOWN")
ERROR_LEVELS = frozenset({"ERROR", "FATAL"})

type Attribute = Literal["service", "level", "pod", "source"]


@dataclass(frozen=True, kw_only=True)
class LogRecord:
    """One record that a container wrote; `id` finds it again. A stack trace belongs to the record above it.

    `exception` is the record's exception with its message, `cause` the innermost one that caused it. `source` names the system that
    keeps the record, where there are several.
    """

    id: str
    time: datetime
    service: str
    pod: str
    level: str
    message: str
    exception: str = ""
    cause: str = ""
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class LogFilter:
    """The records that are asked for: of this window and, where they are given, of these services and levels.

    `pattern` is looked for in message, pod and service. `expression` is one of our own, looked for in the message only.
    """

    window: Window
    services: tuple[str, ...] | None = None
    levels: frozenset[str] | None = None
    pattern: Pattern | None = None
    expression: str = ""

    def before(self) -> LogFilter:
        """Return the same filter for the equally long window before this one."""
        return replace(self, window=self.window.previous())


@dataclass(frozen=True, kw_only=True)
class Group:
    """The number of records that share the values of `key`, and the times of the first and the last of them."""

    key: tuple[str, ...]
    count: int
    first: datetime
    last: datetime


class LogStore(Protocol):
    """Answers about logs. Filter, order and limit are the provider's to apply, where the records are: never fetch to throw away.

    Each method may raise TooSlow when the filter's pattern takes too long.
    """

    @property
    def as_of(self) -> datetime: ...
    def services(self) -> Sequence[str]: ...

    def records(self, where: LogFilter, *, limit: int | None = None, newest_first: bool = False) -> Sequence[LogRecord]:
        """Return the first `limit` records that match, in order of time."""
        ...

    def count(self, where: LogFilter, by: Sequence[Attribute] = ()) -> Sequence[Group]:
        """Return the number of records that match, for each combination of values of `by`."""
        ...

    def histogram(self, where: LogFilter, buckets: int) -> Sequence[int]:
        """Return the number of records that match in each of equally long parts of the window."""
        ...

    def describe_unread(self, where: LogFilter, *, newest: int | None = None) -> str:
        """Say which logs have more in this window than was looked at, or can't be read; empty where all of it was.

        With `newest` only the newest records were wanted, so only what can't be read is named.
        """
        ...

"""What a provider of logs must answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sre_services.timespan import Window

LEVELS = ("FATAL", "ERROR", "WARN", "INFO", "DEBUG", "UNKNOWN")


@dataclass(frozen=True, kw_only=True)
class LogRecord:
    """One record that a container wrote; `id` finds it again. A stack trace belongs to the record above it."""

    id: str
    time: datetime
    service: str
    pod: str
    level: str
    message: str


class LogStore(Protocol):
    """Answers what was logged, oldest first."""

    @property
    def as_of(self) -> datetime: ...
    def services(self) -> Sequence[str]: ...
    def lines(self, window: Window, services: Sequence[str]) -> Sequence[LogRecord]: ...

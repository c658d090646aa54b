"""Recorded logs: one `logs/<service>.log` for each service."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sre_core.problem import Refused
from sre_services.logs.kubectl_lines import parse_records
from sre_services.logs.model import LogRecord
from sre_services.recording import Recording, damaged_file_problem
from sre_services.timespan import Window


class Recorded:
    """Reads the whole recording once."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._lines = {path.stem: self._read(path) for path in recording.files("logs/*.log")}

    @property
    def as_of(self) -> datetime:
        return self._recording.as_of

    def services(self) -> tuple[str, ...]:
        return tuple(self._lines)

    def lines(self, window: Window, services: Sequence[str]) -> list[LogRecord]:
        found = [line for service in services for line in self._lines.get(service, ()) if line.time in window]
        return sorted(found, key=lambda line: line.time)

    def _read(self, path: Path) -> tuple[LogRecord, ...]:
        try:
            return tuple(parse_records(path.read_text(encoding="utf-8", errors="replace"), path.stem, self._recording.moved))
        except (ValueError, OverflowError) as fault:
            raise Refused(damaged_file_problem(path, f"A line's time is none: {fault}.")) from None

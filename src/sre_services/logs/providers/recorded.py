"""Recorded logs: one `logs/<service>.log` for each service."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path

from sre_core.problem import Refused
from sre_services.logs.counts import count_buckets, count_groups
from sre_services.logs.kubectl_lines import parse_records
from sre_services.logs.model import Attribute, Group, LogFilter, LogRecord
from sre_services.logs.selection import BY_TIME, select_records
from sre_services.recording import Recording, damaged_file_problem, read_each, read_text, recording_from
from sre_services.sources.settings import Settings


class Recorded:
    """Holds the records of all services, ordered by time. A query looks only at those that it needs."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._records = {path.stem: records for path, records in read_each(recording.files("logs/*.log"), self._read).items()}

    @property
    def as_of(self) -> datetime:
        return self._recording.as_of

    def services(self) -> tuple[str, ...]:
        return tuple(self._records)

    def records(self, where: LogFilter, *, limit: int | None = None, newest_first: bool = False) -> list[LogRecord]:
        return list(islice(self._scan(where, newest_first=newest_first), limit))

    def count(self, where: LogFilter, by: Sequence[Attribute] = ()) -> list[Group]:
        return count_groups(self._scan(where), by)

    def describe_unread(self, where: LogFilter, *, newest: int | None = None) -> str:
        return ""

    def histogram(self, where: LogFilter, buckets: int) -> list[int]:
        return count_buckets(self._scan(where), where.window, buckets)

    def _scan(self, where: LogFilter, *, newest_first: bool = False) -> Iterator[LogRecord]:
        """Yield the records that match one by one, so that a limit ends the search."""
        services = self.services() if where.services is None else where.services
        return select_records([self._records.get(service, ()) for service in services], where, newest_first=newest_first)

    def _read(self, path: Path) -> tuple[LogRecord, ...]:
        text = read_text(path, errors="replace")
        try:
            return tuple(sorted(parse_records(text, path.stem, self._recording.shift_time), key=BY_TIME))
        except (ValueError, OverflowError) as fault:
            raise Refused(damaged_file_problem(path, f"A line does not begin with a time: {fault}.", self._find_fault(text))) from None

    def _find_fault(self, text: str) -> int | None:
        """Find the first line whose time is none."""
        for number, line in enumerate(text.split("\n"), start=1):
            try:
                list(parse_records(line, "", self._recording.shift_time))
            except (ValueError, OverflowError):
                return number
        return None


def open_provider(settings: Settings) -> Recorded:
    """Read the logs of the recording that SRE_RECORDING names."""
    return Recorded(recording_from(settings.environment))

"""Logs of Grafana Loki. API: https://grafana.com/docs/loki/latest/reference/loki-http-api/"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sre_core.problem import Problem, Refused
from sre_services.logs.at_hand import Fetched, FetchedLogs
from sre_services.logs.kubectl_lines import parse_level
from sre_services.logs.logql import write_query
from sre_services.logs.model import LogFilter, LogRecord
from sre_services.logs.selection import BY_TIME
from sre_services.sources.background import wait_for
from sre_services.sources.client import SourceClient, open_client
from sre_services.sources.failures import not_understood
from sre_services.sources.settings import Settings

# Loki's default for `max_entries_limit_per_query`; a request for more is refused.
_PART = 5_000
_MOST_ENTRIES = 20_000
_RECENT = timedelta(hours=6)
SERVICE_LABEL = "service_name"


class Loki(FetchedLogs):
    """Reads the newest entries that Loki's own filters leave."""

    MOST = f"{_MOST_ENTRIES:,} entries"

    def __init__(self, client: SourceClient, label: str) -> None:
        super().__init__()
        self._client = client
        self._label = label

    def services(self) -> tuple[str, ...]:
        parameters = {"start": _nanoseconds(self.as_of - _RECENT), "end": _nanoseconds(self.as_of)}
        document = wait_for(self._client.get_json(f"/loki/api/v1/label/{self._label}/values", parameters, permission="queries"))
        return tuple(sorted(document.get("data") or ()))

    def fetch(self, where: LogFilter, services: Sequence[str], newest: int | None) -> Fetched:
        found = wait_for(self._read(where, services, newest or _MOST_ENTRIES)) if services else []
        return Fetched([found], ("Loki",) if not newest and len(found) >= _MOST_ENTRIES else ())

    def check(self) -> Problem | None:
        """Explain why it can't be read; None where it can."""
        try:
            self.services()
        except Refused as refused:
            return refused.problems[0]
        return None

    async def _read(self, where: LogFilter, services: Sequence[str], most: int) -> list[LogRecord]:
        """Read the newest entries part by part, and return them oldest first."""
        query, found = write_query(where, services, self._label), dict[tuple[str, str, str], LogRecord]()
        # Loki leaves the end of a window out.
        start, end = _nanoseconds(where.window.start), _nanoseconds(where.window.end) + 1
        while len(found) < most:
            limit = min(_PART, most - len(found))
            parameters = {"query": query, "start": start, "end": end, "limit": limit, "direction": "backward"}
            document = await self._client.get_json("/loki/api/v1/query_range", parameters, permission="queries")
            entries = self._entries(document)
            seen = len(found)
            found.update({(at, labels.get("pod", ""), line): self._record(at, line, labels) for at, line, labels in entries})
            if len(entries) < limit or len(found) == seen:
                break
            # Several entries may have the oldest time: it is asked for again.
            end = min(int(at) for at, _, _ in entries) + 1
        return sorted(found.values(), key=BY_TIME)

    def _entries(self, document: Any) -> list[tuple[str, str, Mapping[str, str]]]:
        try:
            streams = document["data"]["result"]
            return [(value[0], value[1], stream["stream"]) for stream in streams for value in stream["values"]]
        except (KeyError, TypeError, IndexError) as fault:
            raise Refused(not_understood(self._client.name, self._client.url, f"It is no answer of Loki's API: {fault!r}.")) from None

    def _record(self, at: str, line: str, labels: Mapping[str, str]) -> LogRecord:
        service = labels.get(self._label, "")
        # Loki's own place for an entry is its stream and its time.
        return LogRecord(
            id=f"{service}:{at}",
            time=datetime.fromtimestamp(int(at) // 1_000_000_000, UTC).replace(microsecond=int(at) // 1_000 % 1_000_000),
            service=service,
            pod=labels.get("pod", ""),
            level=parse_level(line),
            message=line,
        )


def open_provider(settings: Settings) -> Loki:
    """Open the Loki at `url`; `label` names the label of its streams that has the service."""
    return Loki(open_client(settings, "Loki"), settings.get("label") or SERVICE_LABEL)


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1_000

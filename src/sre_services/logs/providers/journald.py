"""Logs of systemd units by systemd-journal-gatewayd: each unit is a service, and its host takes the place of a pod.

API: systemd-journal-gatewayd.service(8). Up to systemd 254 it can't be asked for a time, only for a number of entries from the end.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sre_core.problem import Problem, Refused
from sre_services.logs.at_hand import Fetched, FetchedLogs
from sre_services.logs.kubectl_lines import parse_records
from sre_services.logs.model import LogFilter, LogRecord
from sre_services.sources.background import wait_for
from sre_services.sources.client import SourceClient, open_client
from sre_services.sources.settings import Settings
from sre_services.timespan import Window

_UNIT = "_SYSTEMD_UNIT"
_MOST_ENTRIES = 20_000
# syslog(3); what programs write to standard output all has 6, so a level in the text counts first.
_PRIORITIES = {"0": "FATAL", "1": "FATAL", "2": "FATAL", "3": "ERROR", "4": "WARN", "7": "DEBUG"}


class Journal(FetchedLogs):
    """Reads the newest entries of each unit that is asked for."""

    MOST = f"{_MOST_ENTRIES:,} entries"

    def __init__(self, client: SourceClient) -> None:
        super().__init__()
        self._client = client

    def services(self) -> tuple[str, ...]:
        text = wait_for(self._client.get(f"/fields/{_UNIT}", headers={"Accept": "text/plain"})).text
        return tuple(sorted({unit.removesuffix(".service") for unit in text.splitlines() if unit.endswith(".service")}))

    def fetch(self, where: LogFilter, services: Sequence[str], newest: int | None) -> Fetched:
        parts = wait_for(self._read_all(services, newest or _MOST_ENTRIES))
        cut = [service for service, (entries, found) in zip(services, parts, strict=True) if _has_more(entries, found, where.window)]
        return Fetched([found for _, found in parts], () if newest else cut)

    def check(self) -> Problem | None:
        """Explain why it can't be read; None where it can."""
        try:
            wait_for(self._client.get_json("/machine"))
        except Refused as refused:
            return refused.problems[0]
        return None

    async def _read_all(self, services: Sequence[str], newest: int) -> list[tuple[int, list[LogRecord]]]:
        return list(await asyncio.gather(*(self._read(service, newest) for service in services)))

    async def _read(self, service: str, newest: int) -> tuple[int, list[LogRecord]]:
        """Read the newest entries of one unit; returns their number, and the records that they are, oldest first."""
        # Skipping -3 from the end leads to the fourth entry from the end.
        headers = {"Accept": "application/json", "Range": f"entries=:-{newest}:{newest + 1}"}
        answer = await self._client.get("/entries", {_UNIT: f"{service}.service"}, headers=headers)
        entries = [json.loads(line) for line in answer.text.split("\n") if line]
        return len(entries), list(_parse(entries, service))


def open_provider(settings: Settings) -> Journal:
    """Open the gateway at `url`."""
    return Journal(open_client(settings, "The journal gateway"))


def _has_more(entries: int, found: Sequence[LogRecord], window: Window) -> bool:
    return entries >= _MOST_ENTRIES and bool(found) and found[0].time > window.start


def _parse(entries: Sequence[Mapping[str, Any]], service: str) -> Iterator[LogRecord]:
    """Parse entries as the lines that a unit wrote, so that a stack trace is one record."""
    lines = [(entry, line) for entry in entries for line in _text(entry.get("MESSAGE")).split("\n")]
    priorities = {number: str(entry.get("PRIORITY", "")) for number, (entry, _) in enumerate(lines, start=1)}
    text = "\n".join(f"[pod/{entry.get('_HOSTNAME') or '-'}/{service}] {_time(entry)} {line}" for entry, line in lines)
    for record in parse_records(text, service, datetime.fromisoformat):
        number = int(record.id.rpartition(":")[2])
        yield record if record.level != "UNKNOWN" else _with_level(record, _PRIORITIES.get(priorities[number], "UNKNOWN"))


def _with_level(record: LogRecord, level: str) -> LogRecord:
    return LogRecord(id=record.id, time=record.time, service=record.service, pod=record.pod, level=level, message=record.message)


def _time(entry: Mapping[str, Any]) -> str:
    return datetime.fromtimestamp(int(entry["__REALTIME_TIMESTAMP"]) / 1_000_000, UTC).isoformat()


def _text(message: object) -> str:
    """Return a message; one that is not UTF-8 comes as a list of bytes, and one that is too long as null."""
    if isinstance(message, list):
        return bytes(part for part in message if isinstance(part, int)).decode("utf-8", "replace")
    return str(message or "")

"""The logs of a case, as a recording's files in the form of `kubectl logs --timestamps`."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from evals.cases.case import Case

MOST_LINES = 4_000  # of one service: the newest are kept
MOST_REPEATS = 50  # of one pattern
_OLDEST = timedelta(hours=4)
_STAMPED = re.compile(r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))(?: (?P<text>.*))?", re.DOTALL)
_INSIDE = re.compile(r'"(?:timestamp|time|@timestamp)"\s*:\s*"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)"')
# What kubectl said instead of a log.
_NO_LOG = re.compile(r"(Error: )?(Error from server|Defaulted container|error: )")

type Line = tuple[datetime | None, str]


def write_logs(case: Case, folder: Path, pods: dict[str, str], end: datetime) -> None:
    """Write one file for each service; `pods` has the pod of each."""
    folder.mkdir(parents=True, exist_ok=True)
    for service, lines in _collect(case).items():
        prefix = f"[pod/{pods[service]}/main] " if service in pods else ""
        kept = [line for line in _timed(lines[-MOST_LINES:], end) if end - line[0] <= _OLDEST]
        if kept:
            rendered = "".join(
                f"{prefix}{time.astimezone(UTC).isoformat(timespec='microseconds').replace('+00:00', 'Z')} {text}\n" for time, text in kept
            )
            (folder / f"{service}.log").write_text(rendered, encoding="utf-8")


def _collect(case: Case) -> dict[str, list[Line]]:
    lines: dict[str, list[Line]] = defaultdict(list)
    for service, raw in _raw_logs(case):
        lines[service] += [_read(line) for line in raw if not _NO_LOG.match(line)]
    for service, answer in case.log_answers():
        if not lines.get(service):
            lines[service] += [_read(line) for line in _pattern_lines(answer) if not _NO_LOG.match(line)]
    for alert in case.alerts():
        if "raw_error" in alert:
            lines["load-generator"] += [(None, _complaint(alert))] * min(int(alert.get("occurrences", 1)), MOST_REPEATS)
    return lines


def _raw_logs(case: Case) -> Iterator[tuple[str, list[str]]]:
    path = case.folder / "raw_data" / "logs.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    # A container's earlier log comes before its log now.
    for name in sorted(found, key=lambda name: (name.removesuffix(".previous"), not name.endswith(".previous"))):
        value = found[name]
        lines = value.splitlines() if isinstance(value, str) else [part for line in value for part in str(line).splitlines()]
        yield name.removesuffix(".previous"), lines


def _pattern_lines(answer: dict[str, Any]) -> Iterator[str]:
    """Yield the example of each pattern as often as it was seen, its lines as one."""
    for pattern in answer.get("patterns", ()):
        yield from [str(pattern.get("sample", ""))] * min(int(pattern.get("count", 1)), MOST_REPEATS)
    for group in ("previous", "app"):
        yield from (line for text in answer.get(group, ()) for line in str(text).splitlines())


def _complaint(alert: dict[str, Any]) -> str:
    method, url = alert.get("request_method", ""), alert.get("url", "")
    return f"ERROR {method} {url} ({alert.get('business_action', '')}) at {alert.get('entry_service', '')} failed: {alert['raw_error']}"


def _read(line: str) -> Line:
    if found := _STAMPED.match(line):
        return datetime.fromisoformat(re.sub(r"(\.\d{6})\d*", r"\1", found["time"])), found["text"] or ""
    if found := _INSIDE.search(line):
        return datetime.fromisoformat(re.sub(r"(\.\d{6})\d*", r"\1", found[1])), line
    return None, line


def _timed(lines: Iterable[Line], end: datetime) -> Iterator[tuple[datetime, str]]:
    """Give each line a time: its own, else that of the line before; each line of a record that has several."""
    time = end - timedelta(seconds=60)
    for stamp, text in lines:
        time = min(stamp, end) if stamp else time
        yield from ((time, part) for part in text.split("\n"))

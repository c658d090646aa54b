"""Parse the lines of a log file: a time, then the text; or JSON objects, one a line. A line without a time belongs to the record above."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sre_services.logs.kubectl_lines import parse_level
from sre_services.logs.model import LEVELS, LogRecord

# ISO 8601 with T or a space, as most programs write it; a time without an offset is UTC. `kubectl logs --prefix` writes the pod before it.
_LINE = re.compile(
    r"(?:\[pod/(?P<pod>[^/\]]+)/[^\]]+\] )?\[?(?P<day>\d{4}-\d\d-\d\d)[T ](?P<clock>\d\d:\d\d:\d\d)"
    r"(?:[.,](?P<fraction>\d{1,9}))? ?(?P<offset>Z|[+-]\d\d:?\d\d)?\]?(?: (?P<text>.*))?"
)
_TIMES, _TEXTS, _LEVELS = ("time", "timestamp", "ts", "@timestamp"), ("message", "msg", "log"), ("level", "severity", "lvl")


def split_lines(text: str) -> list[str]:
    """Split a log at the ends of its lines: other characters that end a line for Python may be within a JSON text."""
    return [line.removesuffix("\r") for line in text.removeprefix("\ufeff").removesuffix("\n").split("\n")]


def parse_lines(lines: Iterable[str], service: str, pod: str = "", first: int = 0) -> Iterator[LogRecord]:
    """Parse the records of one service. Lines before the first time are left out. Ids count from `first`."""
    last: LogRecord | None = None
    for number, line in enumerate(lines, start=first + 1):
        record = _parse_json(line, service, pod, number) if line.startswith("{") else _parse_text(line, service, pod, number)
        if record is None:
            last = last and replace(last, message=f"{last.message}\n{line}")
            continue
        if last:
            yield last
        last = record
    if last:
        yield last


def _parse_text(line: str, service: str, pod: str, number: int) -> LogRecord | None:
    match = _LINE.fullmatch(line)
    if not match:
        return None
    text = match["text"] or ""
    # Python reads microseconds; kubectl writes nanoseconds.
    moment = _parse_time(f"{match['day']}T{match['clock']}.{(match['fraction'] or '0')[:6]:0<6}{match['offset'] or 'Z'}")
    if moment is None:
        return None
    written = match["pod"] or pod
    return LogRecord(id=f"{service}:{number}", time=moment, service=service, pod=written, level=parse_level(text), message=text)


def _parse_json(line: str, service: str, pod: str, number: int) -> LogRecord | None:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return None
    moment = _moment(_first(document, _TIMES)) if isinstance(document, dict) else None
    if moment is None:
        return None
    text, level = read_document(line)
    return LogRecord(id=f"{service}:{number}", time=moment, service=service, pod=str(document.get("pod") or pod), level=level, message=text)


def read_document(line: str) -> tuple[str, str]:
    """Return the text and the level of a record that may be a JSON object; of any other text itself and its level."""
    try:
        document = json.loads(line) if line.startswith("{") else None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        return line, parse_level(line)
    text, named = str(_first(document, _TEXTS) or line), str(_first(document, _LEVELS) or "").upper()
    return text, named if named in LEVELS else parse_level(named) if named else parse_level(text)


def _first(document: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((document[name] for name in names if document.get(name)), None)


def _moment(value: object) -> datetime | None:
    """Read a time as text, or as seconds or milliseconds since 1970."""
    if isinstance(value, int | float):
        try:
            return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
        except (ValueError, OverflowError, OSError):
            return None
    return _parse_time(value) if isinstance(value, str) else None


def _parse_time(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)

"""Parse the output of `kubectl logs --timestamps [--prefix]` into records with a level."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import datetime

from sre_services.logs.model import LogRecord

_LINE = re.compile(
    r"(?:\[pod/(?P<pod>[^/\]]+)/[^\]]+\] )?(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))(?: (?P<text>.*))?"
)
_WORDS = {
    "FATAL": "FATAL", "CRITICAL": "FATAL", "PANIC": "FATAL", "ERROR": "ERROR", "SEVERE": "ERROR", "WARN": "WARN", "WARNING": "WARN",
    "INFO": "INFO", "NOTICE": "INFO", "DEBUG": "DEBUG", "TRACE": "DEBUG",
}  # fmt: skip
_LEVEL = re.compile(rf"\b({'|'.join(_WORDS)})\b", re.IGNORECASE)
# A level is at the beginning of a record; the word "error" later on is part of its message. JSON and logfmt name it anywhere.
_LEVEL_WITHIN = 60
_SEARCHED = 2_000
_NAMED_LEVEL = re.compile(r"""["']?\b(?:severity|level|lvl|log_?level)["']?\s*[:=]\s*["']?([A-Za-z]+)""", re.IGNORECASE)
_CONTINUATION = re.compile(r"\s+\S|\s*$|Caused by:|Suppressed:|Traceback \(|goroutine \d|--- End of ")
# An exception that begins a line belongs to the record above where that one announced it: with an empty line, or as an error.
_EXCEPTION = re.compile(r"(?:--->\s*)?(?P<type>(?:[A-Za-z_$][\w$]*\.)*[A-Z][\w$]*(?:Exception|Error|Throwable))\b(?::\s*(?P<message>.*))?")
# Most records have none of them: to look for the words takes a tenth of what the expression does.
_EXCEPTION_WORDS = ("Exception", "Error", "Throwable")
_CAUSED_BY = re.compile(r"(?:Caused by:|--->)\s*(?P<type>(?:[\w$]+\.)*[\w$]+)(?::\s*(?P<message>.*))?")


def parse_records(text: str, service: str, shift_time: Callable[[str], datetime]) -> Iterator[LogRecord]:
    """Parse the log of one service. A line without a readable time is skipped."""
    last: LogRecord | None = None
    for number, line in enumerate(text.split("\n"), start=1):
        match = _LINE.fullmatch(line)
        if not match:
            continue
        message, pod = match["text"] or "", match["pod"] or ""
        if last and last.pod == pod and _continues(last, message):
            last = replace(last, message=f"{last.message}\n{message}")
            continue
        if last:
            yield complete_record(last)
        last = LogRecord(
            id=f"{service}:{number}", time=shift_time(match["time"]), service=service, pod=pod, level=parse_level(message), message=message
        )
    if last:
        yield complete_record(last)


def _continues(last: LogRecord, message: str) -> bool:
    """Return True for a line that belongs to the record above it. Spring writes the exception itself after an empty line."""
    if _CONTINUATION.match(message):
        return True
    announced = last.message.endswith("\n") or (last.level in {"ERROR", "FATAL"} and "\n" not in last.message)
    return announced and _EXCEPTION.match(message) is not None


def complete_record(record: LogRecord) -> LogRecord:
    """Drop empty lines at the end of a record, and name its exception and the innermost cause."""
    text = record.message.rstrip("\n")
    lines = text.split("\n")
    first = _find_exception(lines) if any(word in text for word in _EXCEPTION_WORDS) else None
    causes = [found for line in lines[1:] if (found := _CAUSED_BY.match(line.strip()))]
    return replace(record, message=text, exception=_named(first), cause=_named(causes[-1]) if causes else "")


def _find_exception(lines: list[str]) -> re.Match[str] | None:
    """Find the exception that begins a line, or is named in the first."""
    return next((found for line in lines if (found := _EXCEPTION.match(line.strip()))), None) or _EXCEPTION.search(lines[0])


def _named(found: re.Match[str] | None) -> str:
    """Render an exception as `type: message`."""
    if found is None:
        return ""
    message = (found["message"] or "").strip()
    return f"{found['type']}: {message}"[:500] if message else found["type"]


def parse_level(message: str) -> str:
    """Parse the level: FATAL, ERROR, WARN, INFO or DEBUG; UNKNOWN when the record has none."""
    named = _NAMED_LEVEL.search(message[:_SEARCHED])
    found = (named and _LEVEL.fullmatch(named[1])) or _LEVEL.search(message[:_LEVEL_WITHIN])
    return _WORDS[found[1].upper()] if found else "UNKNOWN"


def spell_levels(levels: Collection[str]) -> tuple[str, ...]:
    """Return the words by which programs spell these levels."""
    return tuple(word for word, level in _WORDS.items() if level in levels)

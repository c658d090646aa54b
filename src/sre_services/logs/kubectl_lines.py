"""Parse the output of `kubectl logs --timestamps [--prefix]` into records with a level."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from sre_services.logs.model import LogRecord

_LINE = re.compile(
    r"(?:\[pod/(?P<pod>[^/\]]+)/[^\]]+\] )?(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))(?: (?P<text>.*))?"
)
_LEVEL = re.compile(r"\b(FATAL|CRITICAL|PANIC|ERROR|SEVERE|WARN(?:ING)?|INFO|NOTICE|DEBUG|TRACE)\b", re.IGNORECASE)
_SAME = {"CRITICAL": "FATAL", "PANIC": "FATAL", "SEVERE": "ERROR", "WARNING": "WARN", "NOTICE": "INFO", "TRACE": "DEBUG"}
# A level is at the beginning of a record; the word "error" later on is part of its message.
_LEVEL_WITHIN = 60
_CONTINUATION = re.compile(r"\s+\S|Caused by:|Traceback \(|goroutine \d")


def parse_records(text: str, service: str, shift_time: Callable[[str], datetime]) -> Iterator[LogRecord]:
    """Parse the log of one service. A line without a readable time is skipped."""
    last: LogRecord | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        match = _LINE.fullmatch(line)
        if not match:
            continue
        message, pod = match["text"] or "", match["pod"] or ""
        if last and last.pod == pod and _CONTINUATION.match(message):
            last = replace(last, message=f"{last.message}\n{message}")
            continue
        if last:
            yield last
        last = LogRecord(
            id=f"{service}:{number}", time=shift_time(match["time"]), service=service, pod=pod, level=parse_level(message), message=message
        )
    if last:
        yield last


def parse_level(message: str) -> str:
    """Parse the level: FATAL, ERROR, WARN, INFO or DEBUG; UNKNOWN when the record has none."""
    found = _LEVEL.search(message[:_LEVEL_WITHIN])
    word = found[1].upper() if found else "UNKNOWN"
    return _SAME.get(word, word)

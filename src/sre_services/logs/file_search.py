"""Find records in a large log file without an index: a window by bisection, a pattern or levels by RE2 over the file's bytes.

RE2 needs time in proportion to the text, whatever the pattern. What it finds is a superset: `select_records` decides.
"""

from __future__ import annotations

import os
import re
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import re2

from sre_services.logs.kubectl_lines import spell_levels
from sre_services.logs.lines import parse_lines
from sre_services.logs.model import LogFilter, LogRecord
from sre_services.timespan import Window

MOST_MATCHES = 20_000
_SECONDS = 4.0
_PIECE = 4 * 2**20
# Lines and records that are longer are not followed.
_LONGEST = 64 * 2**10
_WORKERS = 2
# In a JSON text other characters may be escaped.
_AS_IN_JSON = re.compile(r"[\w |.-]*", re.ASCII)


@dataclass(frozen=True)
class Found:
    """The records, in the order of the file; `cut` where the file has more of them."""

    records: list[LogRecord]
    cut: bool = False


def read_records(path: str | os.PathLike[str], service: str, where: LogFilter, most: int) -> Found:
    """Read what a filter may want of one file. At most `most` bytes are parsed, or MOST_MATCHES lines that match, the newest.

    Raises OSError for a file that can't be read.
    """
    file = os.open(path, os.O_RDONLY)
    try:
        return _LargeFile(file, service).read(where, most)
    finally:
        os.close(file)


class _LargeFile:
    def __init__(self, file: int, service: str) -> None:
        self._file, self._service, self._size = file, service, os.fstat(file).st_size

    def read(self, where: LogFilter, most: int) -> Found:
        start, end = (0, self._size) if self._size <= most else self._find_window(where.window)
        if end - start <= most:
            return Found(self._parse(start, end))
        expression = _compile(where, self._service, json=self._read(start, start + 1) == b"{")
        return Found(self._parse(end - most, end), cut=True) if expression is None else self._search(start, end, expression)

    def _read(self, start: int, end: int) -> bytes:
        return os.pread(self._file, end - start, start)

    def _parse(self, start: int, end: int) -> list[LogRecord]:
        """Parse a part of the file; the line that it cuts at its beginning is left out."""
        data = self._read(start, end)
        return self._parse_lines(data if start == 0 else data.partition(b"\n")[2], start)

    def _parse_lines(self, data: bytes, at: int) -> list[LogRecord]:
        return list(parse_lines(data.decode("utf-8", "replace").splitlines(), self._service, first=at))

    def _find_window(self, window: Window) -> tuple[int, int]:
        """Find where a window is in a file whose records are in order of time, to within the longest record."""
        probes = range(0, self._size, _LONGEST)
        first, last = bisect_left(probes, window.start, key=self._time_after), bisect_right(probes, window.end, key=self._time_after)
        return max(first - 1, 0) * _LONGEST, min((last + 1) * _LONGEST, self._size)

    def _time_after(self, offset: int) -> datetime:
        """Return the time of the first record that begins after an offset."""
        following = self._parse(offset, offset + 2 * _LONGEST)
        return following[0].time if following else datetime.max.replace(tzinfo=UTC)

    def _search(self, start: int, end: int, expression: Any) -> Found:
        """Search piece by piece, from the newest, until there are enough matches or the time is over."""
        deadline = time.monotonic() + _SECONDS
        pieces = [(max(upper - _PIECE, start), upper) for upper in range(end, start, -_PIECE)]
        found: list[list[LogRecord]] = []
        with ThreadPoolExecutor(_WORKERS) as pool:
            for records in pool.map(partial(self._search_piece, expression), pieces):
                found.append(records)
                if sum(map(len, found)) >= MOST_MATCHES or time.monotonic() > deadline:
                    pool.shutdown(cancel_futures=True)
                    break
        return Found([record for records in reversed(found) for record in records], cut=len(found) < len(pieces))

    def _search_piece(self, expression: Any, piece: tuple[int, int]) -> list[LogRecord]:
        """Return the records with a match in a line that begins in this piece."""
        return list(self._search_lines(expression, *piece))

    def _search_lines(self, expression: Any, start: int, end: int) -> Iterator[LogRecord]:
        first = max(start - _LONGEST, 0)
        data = self._read(first, end + _LONGEST)
        done = 0
        for match in expression.finditer(data, start - first):
            line = data.rfind(b"\n", 0, match.start()) + 1
            if line >= end - first:
                return
            if line < done or line < start - first:
                continue
            begin, done = self._find_record(data, line)
            yield from self._parse_lines(data[begin:done], first + begin)[:1]

    def _find_record(self, data: bytes, line: int) -> tuple[int, int]:
        """Find begin and end of the record that has the line at this offset."""
        begin = line
        while begin > 0 and not self._begins_record(data, begin):
            begin = data.rfind(b"\n", 0, begin - 1) + 1
        end = _next_line(data, line)
        while end < len(data) and not self._begins_record(data, end):
            end = _next_line(data, end)
        return begin, end

    def _begins_record(self, data: bytes, line: int) -> bool:
        return bool(self._parse_lines(data[line : _next_line(data, line)], 0))


def _next_line(data: bytes, line: int) -> int:
    found = data.find(b"\n", line)
    return len(data) if found < 0 else found + 1


def _compile(where: LogFilter, service: str, *, json: bool) -> Any:
    """Compile what every record that the filter wants has in one of its lines; None where there is no such thing."""
    text = ""
    if where.pattern and not where.pattern.search().matches((service,)):
        text = where.pattern.expression
    elif where.expression or (where.levels and "UNKNOWN" not in where.levels):
        text = where.expression or "|".join(spell_levels(where.levels or ()))
    if not text or (json and not _AS_IN_JSON.fullmatch(text)):
        return None
    options = re2.Options()
    options.case_sensitive, options.log_errors = False, False
    with suppress(re2.error):
        compiled = re2.compile(text.encode(), options)
        return None if compiled.search(b"") else compiled
    return None

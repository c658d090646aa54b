"""Find records in a large log file without an index: a window by bisection, a pattern or levels by RE2 over the file's bytes.

RE2 needs time in proportion to the text, whatever the pattern. What it finds is a superset: `select_records` decides.
"""

from __future__ import annotations

import os
import re
import time
from bisect import bisect_left, bisect_right
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import re2

from sre_services.logs.kubectl_lines import spell_levels
from sre_services.logs.lines import parse_lines, split_lines
from sre_services.logs.model import LogFilter, LogRecord
from sre_services.timespan import Window

MOST_MATCHES = 20_000
# The time is looked at between two pieces.
_PIECE = 512 * 2**10
_LONGEST_TRACE = 4 * 2**20
# Lines and records that are longer are not followed.
_LONGEST = 64 * 2**10
_WORKERS = 2
# A time, a bracket before it, a JSON object, or the mark of UTF-8: most lines of a trace begin otherwise.
_BEGINS = frozenset(bytes([byte]) for byte in b"0123456789[{\xef")
# In a JSON text other characters may be escaped, with a backslash.
_AS_IN_JSON = re.compile(r"[\w |-]*", re.ASCII)
_JSON_WITH_ESCAPES = r"(?m:^)\x{FEFF}?\{.*\\"
# Escapes, classes, anchors.
_PARTS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[\^$]", re.DOTALL)
_ANCHORS = frozenset({"^", "$", r"\A", r"\b", r"\B", r"\m", r"\M", r"\z", r"\Z"})
# In RE2 these are of ASCII only.
_WIDER = {r"\w": r"\w\pL\pM\pN\p{Pc}", r"\d": r"\pN", r"\s": r"\s\pZ\x0b\x1c-\x1f\x{85}"}
# Branches, and escapes of more than one character: hexadecimal and octal numbers, properties.
_NO_NEEDLE = re.compile(r"[|()]|\\[0-9A-Za-z](?<![AbBdDmMnrsStwWzZ])")
# What may be absent from a match, and what is plain text in an expression and in JSON alike.
_OPTIONAL, _PLAIN = re.compile(r".(?:[*?]|\{[^}]*\})", re.DOTALL), re.compile(r"[\w -]{4,}", re.ASCII)
# What RE2 reads otherwise: counts without a minimum, inexact matches, sets of POSIX, and all but what is not a letter.
_OTHERWISE = re.compile(r"(?<!\\)\{(?![0-9]+(?:,[0-9]*)?\}|\")[^}\"]*\}|\[:|\[\^[^\]]*\\[WDS]")


@dataclass(frozen=True)
class _Searched:
    """An expression, and a text that each of its matches has and that is found sooner; None where there is no such text."""

    whole: Any
    needle: Any = None


@dataclass(frozen=True)
class Found:
    """The records, in the order of the file; `cut` where the file has more of them."""

    records: list[LogRecord]
    cut: bool = False


def read_records(path: str | os.PathLike[str], service: str, where: LogFilter, most: int, seconds: float) -> Found:
    """Read what a filter may want of one file. At most `most` bytes are parsed, or MOST_MATCHES lines that match, the newest.

    A search ends after `seconds`, and is then cut. Raises OSError for a file that can't be read.
    """
    file = os.open(path, os.O_RDONLY)
    try:
        return _LargeFile(file, service).read(where, most, time.monotonic() + seconds)
    finally:
        os.close(file)


class _LargeFile:
    def __init__(self, file: int, service: str) -> None:
        self._file, self._service, self._size = file, service, os.fstat(file).st_size

    def read(self, where: LogFilter, most: int, deadline: float) -> Found:
        start, end = (0, self._size) if self._size <= most else self._find_window(where.window)
        if end - start <= most:
            return Found(self._parse(start, end))
        expression = _compile(where, self._service)
        return Found(self._parse(end - most, end), cut=True) if expression is None else self._search(start, end, expression, deadline)

    def _read(self, start: int, end: int) -> bytes:
        return os.pread(self._file, end - start, start)

    def _parse(self, start: int, end: int) -> list[LogRecord]:
        """Parse a part of the file; the line that it cuts at its beginning is left out."""
        data = self._read(start, end)
        return self._parse_lines(data if start == 0 else data.partition(b"\n")[2], start)

    def _parse_lines(self, data: bytes, at: int) -> list[LogRecord]:
        return list(parse_lines(split_lines(data.decode("utf-8", "replace")), self._service, first=at))

    def _find_window(self, window: Window) -> tuple[int, int]:
        """Find where a window is in a file whose records are in order of time, to within the longest record."""
        probes = range(0, self._size, _LONGEST)
        first, last = bisect_left(probes, window.start, key=self._time_after), bisect_right(probes, window.end, key=self._time_after)
        return max(first - 1, 0) * _LONGEST, min((last + 1) * _LONGEST, self._size)

    def _time_after(self, offset: int) -> datetime:
        """Return the time of the first record that begins after an offset, behind the longest trace that is looked through."""
        for length in (2 * _LONGEST, _LONGEST_TRACE):
            if following := self._parse(offset, offset + length):
                return following[0].time
            if offset + length >= self._size:
                break
        return datetime.max.replace(tzinfo=UTC)

    def _search(self, start: int, end: int, expression: _Searched, deadline: float) -> Found:
        """Search piece by piece, from the newest, until there are enough matches or the time is over."""
        pieces = [(max(upper - _PIECE, start), upper) for upper in range(end, start, -_PIECE)]
        found: list[list[LogRecord]] = []
        with ThreadPoolExecutor(_WORKERS) as pool:
            for piece in pool.map(partial(self._search_piece, expression), pieces):
                found.append(piece)
                if sum(map(len, found)) >= MOST_MATCHES or time.monotonic() > deadline:
                    pool.shutdown(cancel_futures=True)
                    break
        return Found([record for records in reversed(found) for record in records], cut=len(found) < len(pieces))

    def _search_piece(self, expression: _Searched, piece: tuple[int, int]) -> list[LogRecord]:
        """Find the records that begin in this piece and have a match, also where it is in a line behind the piece."""
        start, end = piece
        # A line begins behind the end of another.
        first = max(start - 1, 0)
        raw = self._read(first, end + _LONGEST)
        # RE2 finds nothing in what is not UTF-8.
        data = _to_utf8(raw)
        if expression.needle and not expression.needle.search(data):
            return []
        size = len(_to_utf8(raw[: end - first]))
        at = data.find(b"\n") + 1 if start else 0
        records: list[LogRecord] = []
        # After each record the search begins anew: one match may reach over several.
        while (at or not start) and (match := expression.whole.search(data, at)):
            begin, at = self._find_record(data, data.rfind(b"\n", 0, match.start()) + 1, at)
            if begin >= size:
                break
            records += self._parse_lines(data[begin:at], first + begin)[:1]
        return records

    def _find_record(self, data: bytes, line: int, lowest: int) -> tuple[int, int]:
        """Find begin and end of the record that has the line at this offset."""
        begin = line
        while begin > lowest and not self._begins_record(data, begin):
            begin = data.rfind(b"\n", 0, begin - 1) + 1
        end = _next_line(data, line)
        while end < len(data) and not self._begins_record(data, end):
            end = _next_line(data, end)
        return begin, end

    def _begins_record(self, data: bytes, line: int) -> bool:
        return data[line : line + 1] in _BEGINS and bool(self._parse_lines(data[line : _next_line(data, line)], 0))


def _next_line(data: bytes, line: int) -> int:
    found = data.find(b"\n", line)
    return len(data) if found < 0 else found + 1


def _to_utf8(data: bytes) -> bytes:
    return data if data.isascii() else data.decode("utf-8", "replace").encode()


def _compile(where: LogFilter, service: str) -> _Searched | None:
    """Compile what every record that the filter wants has in one of its lines; None where there is no such thing."""
    text = ""
    if where.pattern and not where.pattern.search().matches((service,)):
        text = where.pattern.expression
    elif where.expression or (where.levels and "UNKNOWN" not in where.levels):
        text = where.expression or "|".join(spell_levels(where.levels or ()))
    if not text or _OTHERWISE.search(text):
        return None
    wider = _PARTS.sub(lambda found: _widen(found[0]), text)
    options = re2.Options()
    options.case_sensitive, options.log_errors = False, False
    with suppress(re2.error):
        # By itself it must be an expression, and one that needs some text.
        if re2.compile(wider.encode(), options).search(b""):
            return None
        whole = re2.compile((wider if _AS_IN_JSON.fullmatch(text) else f"(?:{wider})|{_JSON_WITH_ESCAPES}").encode(), options)
        needle = find_needle(text)
        return _Searched(whole, re2.compile(needle.encode(), options) if needle else None)
    return None


def find_needle(text: str) -> str:
    """Find the longest text that every match of an expression has as it is; empty where none is known, or where it is all of it."""
    if _NO_NEEDLE.search(text):
        return ""
    plain = _OPTIONAL.sub("\0", _PARTS.sub("\0", text))
    found = max(_PLAIN.findall(plain), key=len, default="")
    return "" if found == text else found


def _widen(part: str) -> str:
    """Write a part of an expression so that RE2 finds what `regex` finds, or more: a message begins within a line."""
    if part in _ANCHORS:
        return ""
    if part.startswith("[") and not part.startswith("[^"):
        return re.sub(r"\\.", lambda found: _WIDER.get(found[0], found[0]), part, flags=re.DOTALL)
    return f"[{_WIDER[part]}]" if part in _WIDER else r"(?:\r?\n)" if part == r"\n" else part

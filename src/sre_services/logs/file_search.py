"""Find records in a log file without an index: a window by bisection, a pattern or levels by their needles and by RE2 in its bytes.

RE2 needs time in proportion to the text, for every pattern. What it finds is a superset: `select_records` decides.
"""

from __future__ import annotations

import os
import re
import time
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from math import inf
from typing import Any

import re2

from sre_services.logs.kubectl_lines import spell_levels
from sre_services.logs.lines import parse_lines, split_lines
from sre_services.logs.model import LogFilter, LogRecord
from sre_services.logs.needles import PARTS, Needle, find_needles, may_have, prepare_needles
from sre_services.timespan import Window

MOST_MATCHES = 20_000
# The time is looked at between two pieces.
_PIECE = 2**20
_SAMPLE = 64 * 2**10
_FEW_LINES = 4 * 2**10
_LONGEST_TRACE = 4 * 2**20
# Lines and records that are longer are not followed.
_LONGEST = 64 * 2**10
_WORKERS = 2
# A time, a bracket before it, a JSON object, or the mark of UTF-8: most lines of a trace begin otherwise.
_BEGINS = frozenset(bytes([byte]) for byte in b"0123456789[{\xef")
# In a JSON text other characters may be escaped, with a backslash; or the end of the text and the line after it match.
_AS_IN_JSON = re.compile(r"[\w |-]*", re.ASCII)
_JSON_WITH_ESCAPES = r"(?m:^)\x{FEFF}?\{.*(?:\\|\n[^{\[0-9])"
# Also a k, an s or an i, in JSON.
_JSON_WITH_LETTERS = r"\\u(?:212a|017f|013[01])"
# For RE2 these are not letters i.
_LETTERS_I = "\u0130\u0131"
_LETTER_I = f"iI{_LETTERS_I}"
_WIDENED = re.compile(rf"{PARTS.pattern}|[{_LETTER_I}]", re.DOTALL)
_ANCHORS = frozenset({"^", "$", r"\A", r"\b", r"\B", r"\m", r"\M", r"\z", r"\Z"})
# In RE2 these are of ASCII only.
_WIDER = {r"\w": r"\w\pL\pM\pN\p{Pc}", r"\d": r"\pN", r"\s": r"\s\pZ\x0b\x1c-\x1f\x{85}"}
# What RE2 reads otherwise: counts without a minimum, inexact matches, sets of POSIX, and all but what is not a letter.
_OTHERWISE = re.compile(r"(?<!\\)\{(?![0-9]+(?:,[0-9]*)?\}|\")[^}\"]*\}|\[:|\[\^[^\]]*\\[WDS]")


@dataclass(frozen=True)
class _Searched:
    """An expression, and texts of which each of its matches has one; none where such texts are not known."""

    whole: Any
    needles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """The records, in the order of the file; `cut` where the file has more of them."""

    records: list[LogRecord]
    cut: bool = False


def read_records(path: str | os.PathLike[str], service: str, where: LogFilter, most: int, seconds: float, *, piece: int = _PIECE) -> Found:
    """Read what a filter may want of one file: more than a piece is searched, where there is anything to search for, and else parsed.

    Of more than `most` bytes in the window, it is cut: to the newest `most` bytes, MOST_MATCHES matches, or what `seconds` find.
    Raises OSError for a file that can't be read.
    """
    file = os.open(path, os.O_RDONLY)
    try:
        return _LogFile(file, service, piece).read(where, most, time.monotonic() + seconds)
    finally:
        os.close(file)


class _LogFile:
    def __init__(self, file: int, service: str, piece: int) -> None:
        self._file, self._service, self._piece, self._size = file, service, piece, os.fstat(file).st_size

    def read(self, where: LogFilter, most: int, deadline: float) -> Found:
        start, end = (0, self._size) if self._size <= most else self._find_window(where.window)
        expression = _compile(where, self._service) if end - start > min(self._piece, most) else None
        if expression is None:
            return self._parse_newest(start, end, most)
        if end - start > most:
            return self._search(start, end, expression, deadline)
        # What is not too large to be parsed is never cut, and to search it takes less time.
        found = self._search(start, end, expression, inf)
        return self._parse_newest(start, end, most) if found.cut else found

    def _parse_newest(self, start: int, end: int, most: int) -> Found:
        return Found(self._parse(max(start, end - most), end), cut=end - start > most)

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
        for length in (_FEW_LINES, 2 * _LONGEST, _LONGEST_TRACE):
            # The last line may be cut, in its time too.
            lines = self._read(offset, offset + length).split(b"\n")[1:-1]
            if following := next(parse_lines((line.decode("utf-8", "replace") for line in lines), self._service), None):
                return following.time
        return datetime.max.replace(tzinfo=UTC)

    def _search(self, start: int, end: int, expression: _Searched, deadline: float) -> Found:
        """Search piece by piece, from the newest, until there are enough matches or the time is over."""
        # At the same places while the file grows, so that ids stay.
        edges = [start, *range(start - start % self._piece + self._piece, end, self._piece), end]
        pieces = list(pairwise(edges))[::-1]
        middle = (start + end) // 2
        needles = prepare_needles(expression.needles, self._read(middle, middle + _SAMPLE))
        found: list[list[LogRecord]] = []
        count = 0
        with ThreadPoolExecutor(_WORKERS) as pool:
            for piece in pool.map(partial(self._search_piece, expression.whole, needles), pieces):
                found.append(piece)
                count += len(piece)
                if count >= MOST_MATCHES or time.monotonic() > deadline:
                    pool.shutdown(cancel_futures=True)
                    break
        return Found([record for records in reversed(found) for record in records], cut=len(found) < len(pieces))

    def _search_piece(self, expression: Any, needles: Sequence[Needle], piece: tuple[int, int]) -> list[LogRecord]:
        """Find the records that begin in this piece and have a match, also where it is in a line behind the piece."""
        start, end = piece
        # A line begins behind the end of another.
        first = max(start - 1, 0)
        raw = self._read(first, end + _LONGEST)
        if needles and not may_have(raw, needles):
            return []
        data, size = _normalize(raw), len(_normalize(raw[: end - first]))
        at = data.find(b"\n") + 1 if start else 0
        records: list[LogRecord] = []
        # After each record the search begins again: one match may reach over several.
        while (at or not start) and (match := expression.search(data, at)):
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


def _normalize(data: bytes) -> bytes:
    """Return lines as they are parsed: in UTF-8, or RE2 finds nothing, and with the ends that they have in a record."""
    text = data if data.isascii() else data.decode("utf-8", "replace").encode()
    return text.replace(b"\r\n", b"\n") if b"\r" in text else text


def _compile(where: LogFilter, service: str) -> _Searched | None:
    """Compile what every record that the filter wants has in one of its lines; None where there is no such thing."""
    text = ""
    if where.pattern and not where.pattern.search().matches((service,)):
        text = where.pattern.expression
    elif where.expression or (where.levels and "UNKNOWN" not in where.levels):
        text = where.expression or "|".join(spell_levels(where.levels or ()))
    if not text or _OTHERWISE.search(text):
        return None
    wider = _WIDENED.sub(lambda found: _widen(found[0]), text)
    options = re2.Options()
    options.case_sensitive, options.log_errors = False, False
    with suppress(re2.error):
        # By itself it must be an expression, and one that needs some text.
        if re2.compile(wider.encode(), options).search(b""):
            return None
        in_json = _JSON_WITH_LETTERS if _AS_IN_JSON.fullmatch(text) else _JSON_WITH_ESCAPES
        return _Searched(re2.compile(f"(?:{wider})|{in_json}".encode(), options), find_needles(text))
    return None


def _widen(part: str) -> str:
    """Write a part of an expression so that RE2 finds what `regex` finds, or more: a message begins within a line."""
    if part in _ANCHORS:
        return ""
    if part.startswith("[") and not part.startswith("[^"):
        # Where it begins with its own end, this is no end.
        inner = re.sub(r"\\.", lambda found: _WIDER.get(found[0], found[0]), re.sub(r"\A\]", r"\\]", part[1:]), flags=re.DOTALL)
        return f"[{_LETTERS_I}{inner}"
    if part in _LETTER_I:
        return f"[{_LETTER_I}]"
    return f"[{_WIDER[part]}]" if part in _WIDER else part

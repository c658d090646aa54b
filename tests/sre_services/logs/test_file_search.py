"""A log file is searched in its bytes, and gives what a plain look at each of its records gives."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_services.logs.file_search import Found, read_records
from sre_services.logs.lines import parse_lines, split_lines
from sre_services.logs.model import LEVELS, LogFilter, LogRecord
from sre_services.logs.needles import find_needles, may_have, prepare_needles
from sre_services.logs.pattern import Pattern
from sre_services.logs.selection import select_records
from sre_services.timespan import Window

START = datetime(2026, 11, 28, tzinfo=UTC)
ALWAYS = Window(START - timedelta(days=1), START + timedelta(days=1))
# Letters whose other case is outside of ASCII, or inside of it; what JSON escapes; what ends a line elsewhere.
WORDS = [
    "declined by", "DECLINED", "code=E42", "timeout", "Time Out", "kiosk", "\u212aIOSK", "\u017fkip", "\u0130stanbul", "d\u0131sk",
    "k\u0130\u017f", 'caf\u00e9 "x"', "C:\\tmp", "a\u2028b", "{id}", "50 %", "\t", ".",
]  # fmt: skip
PARTS = [
    "declined", "by", "time.?out", "kiosk", "skip", "istanbul", "DISK", "caf\u00e9", "\u212a", "\u0131", '"x"', r"C:\\", r"\{id\}", "=e4",
    " ", ".*", "|", "^", "$", r"\b", r"\s", r"\d+", r"\w+", "[a-f]{2,}", "[^c]", "[]ik]", r"[\s.]", "(x|disk)", "(?:", "x?", r"\x64", r"\n",
]  # fmt: skip

texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join)
lines = st.tuples(st.sampled_from(["text", "json", "escaped", "more"]), st.sampled_from(["ERROR", "warn", "info", ""]), texts)
patterns = st.lists(st.sampled_from(PARTS), min_size=1, max_size=4).map("".join)
# Other ways to write a character of a record.
WAYS: list[Callable[[str], str]] = [
    re.escape,
    re.escape,
    lambda char: re.escape(char.swapcase()),
    lambda char: f"[{char.swapcase()}z]" if char.isalpha() else r"\s" if char.isspace() else "[^z]",
]


@st.composite
def parts_of(draw: st.DrawFn, message: str) -> str:
    """A pattern that a part of this message matches."""
    start = draw(st.integers(0, len(message) - 1))
    part = message[start : start + draw(st.integers(2, 12))]
    return "".join(way(char) for way, char in zip(draw(st.lists(st.sampled_from(WAYS), min_size=12, max_size=12)), part, strict=False))


def write_line(number: int, how: str, level: str, text: str) -> str:
    """A line of a log: with a time, as JSON with letters as they are or escaped, or one that belongs to the record above."""
    time = (START + timedelta(seconds=number)).isoformat()
    if how == "more":
        return f"  at {text}"
    if how == "text":
        return f"{time} {level} {text}"
    return json.dumps({"time": time, "level": level, "msg": text}, ensure_ascii=how == "escaped")


def search(path: Path, where: LogFilter, piece: int) -> Found:
    """The records that a search finds, and of them those that the filter wants."""
    found = read_records(path, "till", where, 0, 60.0, piece=piece)
    return Found(select(found.records, where), found.cut)


def look_at_each(path: Path, where: LogFilter) -> list[LogRecord]:
    """The records that the filter wants, of all."""
    text = path.read_bytes().decode("utf-8", "replace")
    return select(list(parse_lines(split_lines(text), "till")), where)


def select(records: Sequence[LogRecord], where: LogFilter) -> list[LogRecord]:
    """The records that the filter wants; their ids depend on how they were read."""
    return [replace(record, id="") for record in select_records([records], where)]


@given(
    written=st.lists(lines, min_size=1, max_size=12),
    ends=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "latin-1"]),
    levels=st.none() | st.frozensets(st.sampled_from(LEVELS), min_size=1, max_size=2),
    piece=st.integers(40, 400),
    data=st.data(),
)
def test_a_search_finds_what_a_look_at_each_record_finds(
    written: Sequence[tuple[str, str, str]],
    ends: str,
    encoding: str,
    levels: frozenset[str] | None,
    piece: int,
    data: st.DataObject,
) -> None:
    """For any records, patterns, levels and pieces; if the search text is empty, the answer says that it is cut."""
    text = "".join(write_line(number, *line) + ends for number, line in enumerate(written))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "till.log"
        path.write_bytes(text.encode(encoding, "replace"))
        every = look_at_each(path, LogFilter(window=ALWAYS))
        drawn = [data.draw(patterns), *(data.draw(parts_of(record.message)) for record in every[:2] if record.message)]
        for pattern in (None, *map(Pattern, drawn)):
            where = LogFilter(window=ALWAYS, pattern=pattern, levels=levels)
            found = search(path, where, piece)
            assert found.records == look_at_each(path, where) or (found.cut and not found.records)


@pytest.mark.parametrize(
    ("written", "pattern"),
    [
        ([("text", "info", "\u212aiosk")], "kiosk"),
        ([("escaped", "info", "\u212aiosk")], "kiosk"),
        ([("text", "info", "\u0130stanbul")], "[ij]stanbul"),
        ([("text", "info", "charge"), ("more", "", "till")], "charge[^,] +at till"),
        ([("json", "info", "charge"), ("more", "", "till")], r"charge\s+at till"),
    ],
)
def test_what_is_written_in_another_way(tmp_path: Path, written: Sequence[tuple[str, str, str]], pattern: str) -> None:
    """Letters beyond ASCII, also where JSON escapes them, and ends of lines of any kind are found as in the record."""
    path, where = tmp_path / "till.log", LogFilter(window=ALWAYS, pattern=Pattern(pattern))
    path.write_bytes("".join(write_line(number, *line) + "\r\n" for number, line in enumerate([*written, *written])).encode())
    found = search(path, where, piece=40)
    assert (len(found.records), found.records) == (2, look_at_each(path, where))


@pytest.mark.parametrize(
    ("expression", "needles"),
    [
        (r"declined.*code=E\d+", ("declined",)),
        (r"Payment declined", ("payment declined",)),
        (r"^ERROR +charge", ("error ",)),
        (r"colou?r of charges*", ("r of charge",)),
        (r"x{2,4}timeouts{2}", ("timeout",)),
        (r"time.?out[a-f]{4}after", ("after",)),
        (r"declined|refused", ("declined", "refused")),
        (r"connection (refused|reset( by peer)?)", ("connection ",)),
        (r"(declined)? by acquirer", (" by acquirer",)),
        (r"declined|E\d", ()),
        (r"one|two|three|four|five|seven|eight", ()),
        (r"\w+\s\d{4}", ()),
        (r"id=\{abcd\}", ("abcd",)),
        (r"\x41bcdef", ()),
        (r"\041declined", ()),
        (r"\pLrefused", ()),
        (r"\p{Lu}refused", ()),
        (r"\bdeclined\.\tcode", ("declined",)),
    ],
)
def test_the_texts_of_which_every_match_has_one(expression: str, needles: tuple[str, ...]) -> None:
    """Parts that are optional, alternatives, or written in another way in JSON, are not among them."""
    assert find_needles(expression) == needles


EXPRESSION = (
    r"[abc -]{1,6}[*?+.]?|\\d|[ab]{4,8}|\[ab\]\+?|x\{1,2\}|\\x6[1-9]|\\04[1-7]|\\b|\\\.|\^?bcda"
    r"|\(aaaa\|bbbb\)|\|bbaa|kids|\\w\{0,2\}cccc\??"
)


@given(st.from_regex(rf"\A(?:{EXPRESSION}){{1,5}}\Z"), st.binary(max_size=40), st.data())
def test_every_match_has_a_needle(expression: str, around: bytes, data: st.DataObject) -> None:
    """Any text that an expression matches, in any case and with anything around it, is not ruled out."""
    matching = data.draw(st.from_regex(expression, fullmatch=True)).swapcase()
    needles = prepare_needles(find_needles(expression), around * 50)
    assert not needles or may_have(around + matching.encode() + around, needles)


@pytest.mark.parametrize("size", [0, 3, 100, 2**18 - 8, 2**18 + 100, 3 * 2**18])
def test_a_needle_wherever_it_is(size: int) -> None:
    """It is found at each end of what is compared at once, and across it; without it most data is ruled out."""
    data = bytes(np.random.default_rng(size).integers(97, 102, size, np.uint8))
    needles = prepare_needles(["declined by"], data)
    assert may_have(data + b"Declined BY", needles)
    assert not may_have(data + b"refused by", needles)

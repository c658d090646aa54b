"""Search patterns from outside, matched in bounded time."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable

import regex

from sre_services.query_text import QueryText
from sre_services.syntax import WORDS

_MOST_REPEATS = 4
_SEARCHED = 2_000
# Four repeats are enough for a search of days: `a*a*a*a*!` in two hundred a's took ten seconds.
_SEARCH_SECONDS = 2.0


class TooSlow(Exception):
    """Raised when a search was given up because its pattern takes too long on these records."""


class Pattern(QueryText):
    """A regular expression, case-insensitive, without the constructs that can take exponential time; any other text is looked for as it is.

    `note` says why a text is no regular expression here.
    """

    LONGEST = 200
    SYNTAX = WORDS

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.note, self.expression = "", self.text
        try:
            self._compiled = _compile(text)
        except ValueError as fault:
            self.note = f"The pattern was looked for as plain text: {fault}."
            self.expression = re.escape(self.text)
            self._compiled = regex.compile(self.expression, regex.IGNORECASE)

    def search(self) -> Search:
        """Start a search, whose time is limited as a whole."""
        return Search(self._compiled)


def _compile(text: str) -> regex.Pattern[str]:
    """Compile a regular expression. Raises ValueError for what is none, or may take too long."""
    bare = re.sub(r"\[[^\]]*\]|\\[^1-9]", "x", text)
    if "(?" in bare or re.search(r"\\[1-9]", text):
        raise ValueError("lookarounds, flags and backreferences are not supported; use plain words, |, .* and [classes]")
    if re.search(r"\)\s*[*+{]", bare) or len(re.findall(r"[*+{]", bare)) > _MOST_REPEATS:
        raise ValueError(f"groups can't be repeated, and at most {_MOST_REPEATS} of * + {{ can be used")
    try:
        return regex.compile(text, regex.IGNORECASE)
    except (regex.error, OverflowError, RecursionError) as fault:
        raise ValueError(f"it is not a regular expression ({fault}); put a backslash before special characters") from None


class Search:
    """One search with one pattern over any number of records."""

    def __init__(self, expression: regex.Pattern[str]) -> None:
        self._expression = expression
        self._deadline = time.monotonic() + _SEARCH_SECONDS

    def matches(self, texts: Iterable[str]) -> bool:
        """Say whether a text has the pattern in its beginning. Raises TooSlow after a few seconds; other requests go on meanwhile."""
        try:
            return any(self._expression.search(text[:_SEARCHED], timeout=self._time_left(), concurrent=True) for text in texts)
        except TimeoutError:
            raise TooSlow from None

    def _time_left(self) -> float:
        return max(self._deadline - time.monotonic(), 0.001)

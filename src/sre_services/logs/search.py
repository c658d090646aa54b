"""Searching with a pattern from a stranger, in bounded time."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

import regex

from sre_services.logs.model import LogRecord
from sre_services.written import QueryText

_MOST_REPEATS = 4
_SEARCHED = 2_000
# Four repeats are enough for a search of days: `a*a*a*a*!` in two hundred a's took ten seconds.
_AT_MOST_SECONDS = 2.0


class TooSlow(Exception):
    """A search was given up, because its pattern takes too long on what was logged."""


class Pattern(QueryText):
    """A regular expression, case-insensitive, without the constructs that can take exponential time."""

    LONGEST = 200

    def __init__(self, text: str) -> None:
        super().__init__(text)
        bare = re.sub(r"\[[^\]]*\]|\\[^1-9]", "x", text)
        if "(?" in bare or re.search(r"\\[1-9]", text):
            raise ValueError("lookarounds, flags and backreferences are not supported: use plain words, |, .* and [classes]")
        if re.search(r"\)\s*[*+{]", bare) or len(re.findall(r"[*+{]", bare)) > _MOST_REPEATS:
            raise ValueError(f"groups can't be repeated, and at most {_MOST_REPEATS} of * + {{ can be used: search for less at once")
        try:
            self._expression = regex.compile(text, regex.IGNORECASE)
        except (regex.error, OverflowError, RecursionError) as fault:
            raise ValueError(f"is not a regular expression ({fault}): put a backslash before special characters") from None

    def among(self, lines: Sequence[LogRecord]) -> list[LogRecord]:
        """The records whose message, pod or service has it. Raises TooSlow after a few seconds, during which others are answered."""
        deadline = time.monotonic() + _AT_MOST_SECONDS

        def has(text: str) -> bool:
            left = max(deadline - time.monotonic(), 0.001)
            return self._expression.search(text, timeout=left, concurrent=True) is not None

        try:
            return [line for line in lines if has(line.message[:_SEARCHED]) or has(line.pod) or has(line.service)]
        except TimeoutError:
            raise TooSlow from None

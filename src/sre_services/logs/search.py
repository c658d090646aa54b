"""Searching with a pattern from a stranger, in bounded time."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sre_services.logs.model import Line
from sre_services.written import Written

_MOST_REPEATS = 4
# Text beyond this is not searched: Python's engine can take cubic time on it.
_SEARCHED = 2_000


class Pattern(Written):
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
            self._expression = re.compile(text, re.IGNORECASE)
        except (re.error, OverflowError, RecursionError) as fault:
            raise ValueError(f"is not a regular expression ({fault}): put a backslash before special characters") from None

    def among(self, lines: Sequence[Line]) -> list[Line]:
        """The records whose message, pod or service has it."""
        found = self._expression.search
        return [line for line in lines if found(line.message[:_SEARCHED]) or found(line.pod) or found(line.service)]

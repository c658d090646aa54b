"""A question with its options and with what it continues: what a caller sends."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sre_agent.question import times
from sre_agent.reading import text
from sre_core import clock

# "Now the pods" goes on to something else, "is it fine now" ends the time that was named before.
_NOW = re.compile(r"\S\s.*\b(?:now|currently|at the moment)\b", re.I)
LONGEST_OPTION = 100
LONGEST_BEFORE = 1000


@dataclass(frozen=True, kw_only=True)
class Before:
    """The previous question: its kind, its subject, and its words (for the time that they name)."""

    kind: str = ""
    subject: str = ""
    namespace: str = ""
    prompt: str = ""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A question, where and when to look if the caller says so, and the question before in the same conversation."""

    prompt: str
    since: str = ""
    namespace: str = ""
    service: str = ""
    reasoner: str = ""
    before: Before | None = None

    def time_words(self, *, continues: bool) -> str:
        """Return the words that name the time to look at."""
        if self.since:
            return self.since if re.match(r"(?i)since|from|between|last|in|\d{4}-", self.since) else f"since {self.since} {self.since} ago"
        names_time = _NOW.search(self.prompt) or times.parse_period(self.prompt, clock.now())
        if continues and self.before and not names_time:
            return self.before.prompt
        return self.prompt


def is_readable_time(since: str) -> bool:
    """Return True if the words of the option name a time; no words name none, and are fine."""
    return not since or times.parse_period(Request(prompt="", since=since).time_words(continues=False), clock.now()) is not None


def parse_request(given: Mapping[str, object], prompt: str) -> Request:
    """Parse the optional parts of `input`; what has another type than text counts as absent."""
    before = given.get("before")
    options = {name: text(given, name)[:LONGEST_OPTION] for name in ("since", "namespace", "service", "reasoner")}
    return Request(prompt=prompt, before=parse_before(before) if isinstance(before, Mapping) else None, **options)


def parse_before(given: Mapping[str, object]) -> Before:
    """Parse the previous question, of any length."""
    parts = {name: text(given, name)[:LONGEST_OPTION] for name in ("kind", "subject", "namespace")}
    return Before(prompt=text(given, "prompt")[:LONGEST_BEFORE], **parts)

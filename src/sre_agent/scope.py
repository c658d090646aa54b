"""The scope of a question: namespace, service and time, where its text names them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sre_agent.question import times
from sre_core import clock

DEFAULT_LOOKBACK = timedelta(hours=2)
LONGEST_LOOKBACK = timedelta(days=7)
BEFORE = timedelta(minutes=30)  # the cause of an incident is earlier than the time that a question names
NEAR = timedelta(minutes=15)  # before and after a moment: "errors at 14:05"

_NAME = r"[`'\"]?\b(?P<name>[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)"
_NAMESPACE = (re.compile(rf"\bnamespaces?\s*[:=]?\s*{_NAME}", re.I), re.compile(rf"{_NAME}[`'\"]?\s+namespace\b", re.I))
_EVERY_NAMESPACE = re.compile(r"\b(?:all|every|each|any|across) (?:of )?(?:the |our )?namespaces?\b", re.I)
_NOT_NAMES_TEXT = """
the this that a an in our my its and or is which what any all every each whole same for with are was were be there here has have
had do does did can could should would will exist exists contain contains run runs use uses to of on at by from per other another
one we you i it where who how please show list
"""
_NOT_NAMES = frozenset(_NOT_NAMES_TEXT.split())


@dataclass(frozen=True)
class Scope:
    """Where and when to look. An empty text means everywhere; `until` None means now; `named` where the question names a time."""

    lookback: timedelta = DEFAULT_LOOKBACK
    until: datetime | None = None
    namespace: str = ""
    service: str = ""
    named: bool = False

    def since(self, as_of: datetime) -> datetime:
        """Return the start of the time to look at, by the tools' own clock."""
        return (self.until or as_of) - self.lookback

    @property
    def start(self) -> str:
        """The start as tools take it: a duration before their own now, so that clocks need not agree."""
        return clock.stamp(self.until - self.lookback) if self.until else f"{max(1, round(self.lookback.total_seconds() / 60))}m"

    @property
    def end(self) -> str:
        """The end as tools take it."""
        return clock.stamp(self.until) if self.until else "now"

    @property
    def window(self) -> str:
        """Start and end in one, as tools take them."""
        return f"{self.start}/{self.end}" if self.until else self.start

    @property
    def recent(self) -> str:
        """The last quarter of the time. It is compared with the equally long time before, for which data must exist too."""
        quarter = max(self.lookback / 4, timedelta(minutes=10))
        if self.until:
            return f"{clock.stamp(self.until - quarter)}/{self.end}"
        return f"{round(quarter.total_seconds() / 60)}m"

    def at_least_a_day(self) -> Scope:
        """Return this scope, with a day where the question names no time."""
        return self if self.named else replace(self, lookback=max(self.lookback, timedelta(days=1)))

    def to_json(self) -> Mapping[str, str]:
        return {"namespace": self.namespace or "default", "service": self.service or "all", "since": self.start, "until": self.end}


def parse_prompt(prompt: str, now: datetime, *, lead: timedelta = BEFORE) -> Scope:
    """Parse namespace and time of the question. `find_service` finds its service, once the services are known.

    A time that is named as a moment is looked at from `lead` before it: there is the cause of what people then noticed.
    """
    lookback, until, named = _parse_time(prompt, now, lead)
    return Scope(lookback=lookback, until=until, namespace=_parse_namespace(prompt), named=named)


def find_service(prompt: str, services: Iterable[str]) -> str:
    """Find the service that the text names, the longest name first; `orders` finds `orders-service`."""
    text = f" {prompt.lower()} "
    for name in sorted(services, key=lambda name: (-len(name), name)):
        if re.search(rf"(?<![\w-]){re.escape(name.lower())}(?![\w]|-\w)", text):
            return name
    stems = {re.sub(r"[-_]?(?:service|svc|api|app|server)$", "", name.lower()): name for name in sorted(services)}
    return next((name for stem, name in stems.items() if len(stem) > 2 and re.search(rf"(?<![\w-]){re.escape(stem)}(?![\w-])", text)), "")


def _parse_namespace(prompt: str) -> str:
    if _EVERY_NAMESPACE.search(prompt):
        return "all"
    for pattern in _NAMESPACE:
        for found in pattern.finditer(prompt):
            if found["name"].lower() not in _NOT_NAMES:
                return found["name"].lower()
    return ""


def _parse_time(prompt: str, now: datetime, lead: timedelta) -> tuple[timedelta, datetime | None, bool]:
    found = times.parse_period(prompt, now)
    if found is None:
        return DEFAULT_LOOKBACK, None, False
    if found.length is not None:
        return _clamp(found.length), None, True
    if found.start is None and found.end is not None:
        # Of what was before a time, a look-up shows just that; a cause is looked for until now.
        length = DEFAULT_LOOKBACK + lead
        return (_clamp(now - found.end + length), None, True) if lead else (length, found.end, True)
    start = found.start or now
    if found.end is not None:
        return _clamp(found.end - start), found.end, True
    if found.near and not (lead and times.names_beginning(prompt)):
        around = lead or NEAR
        end = start + around
        return (2 * around, end, True) if end < now else (now - start + around, None, True)
    return _clamp(now - start + lead), None, True


def _clamp(length: timedelta) -> timedelta:
    return min(max(length, timedelta(minutes=15)), LONGEST_LOOKBACK)

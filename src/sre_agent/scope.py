"""The scope of a question: namespace, service and time, where its text names them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sre_core import clock

DEFAULT_LOOKBACK = timedelta(hours=2)
LONGEST_LOOKBACK = timedelta(days=7)
BEFORE = timedelta(minutes=30)  # the cause of an incident lies before the time that a question names

_NAME = r"[`'\"]?\b(?P<name>[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)"
_NAMESPACE = (re.compile(rf"\bnamespaces?\s*[:=]?\s*{_NAME}", re.I), re.compile(rf"{_NAME}[`'\"]?\s+namespace\b", re.I))
_NOT_NAMES = {
    "the",
    "this",
    "that",
    "a",
    "an",
    "in",
    "our",
    "my",
    "its",
    "and",
    "or",
    "is",
    "which",
    "what",
    "any",
    "all",
    "every",
    "each",
    "whole",
    "same",
    "for",
    "with",
}
_AGO = re.compile(r"\b(?:last|past|within|since)\s+(?P<count>\d{1,4})?\s*(?P<unit>m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?|d(?:ays?)?)\b", re.I)
_EARLIER = re.compile(r"\b(?P<count>\d{1,4})\s*(?P<unit>m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?|d(?:ays?)?)\s+ago\b", re.I)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?")
_CLOCK = re.compile(r"\b(?:since|after|from|around|at)\s+(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?:\s*(?:UTC|Z))?\b", re.I)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


@dataclass(frozen=True)
class Scope:
    """Where and when to look. An empty text means everywhere; `until` None means now."""

    lookback: timedelta = DEFAULT_LOOKBACK
    until: datetime | None = None
    namespace: str = ""
    service: str = ""

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

    def to_json(self) -> Mapping[str, str]:
        return {"namespace": self.namespace or "default", "service": self.service or "all", "since": self.start, "until": self.end}


def parse_prompt(prompt: str, now: datetime) -> Scope:
    """Parse namespace and time of the question. `find_service` finds its service, once the services are known."""
    lookback, until = _parse_time(prompt, now)
    return Scope(lookback=lookback, until=until, namespace=_parse_namespace(prompt))


def find_service(prompt: str, services: Iterable[str]) -> str:
    """Find the service that the text names, the longest name first; `orders` finds `orders-service`."""
    text = f" {prompt.lower()} "
    for name in sorted(services, key=lambda name: (-len(name), name)):
        if re.search(rf"(?<![\w-]){re.escape(name.lower())}(?![\w]|-\w)", text):
            return name
    stems = {re.sub(r"[-_]?(?:service|svc|api|app|server)$", "", name.lower()): name for name in sorted(services)}
    return next((name for stem, name in stems.items() if len(stem) > 2 and re.search(rf"(?<![\w-]){re.escape(stem)}(?![\w-])", text)), "")


def _parse_namespace(prompt: str) -> str:
    for pattern in _NAMESPACE:
        for found in pattern.finditer(prompt):
            if found["name"].lower() not in _NOT_NAMES:
                return found["name"].lower()
    return ""


def _parse_time(prompt: str, now: datetime) -> tuple[timedelta, datetime | None]:
    instants = [clock.parse(text).astimezone(UTC) for text in _INSTANT.findall(prompt)][:2]
    if len(instants) == 2:
        return _clamp(abs(instants[1] - instants[0])), max(instants)
    if instants:
        return _clamp(now - instants[0] + BEFORE), None
    for pattern in (_AGO, _EARLIER):
        if found := pattern.search(prompt):
            return _clamp(int(found["count"] or 1) * _UNITS[found["unit"][0].lower()]), None
    if found := _CLOCK.search(prompt):
        moment = now.replace(hour=int(found["hour"]), minute=int(found["minute"]), second=0, microsecond=0)
        moment -= timedelta(days=1) if moment > now else timedelta()
        return _clamp(now - moment + BEFORE), None
    return DEFAULT_LOOKBACK, None


def _clamp(length: timedelta) -> timedelta:
    return min(max(length, timedelta(minutes=15)), LONGEST_LOOKBACK)

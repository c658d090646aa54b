"""Where a request goes: pure decisions over the path as it was sent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sre_core.machine import Route

# Paths that two readers could understand differently are refused, not interpreted: an encoded slash, backslash or NUL,
# a plain backslash, an empty segment, and the segments `.` and `..` in any spelling.
_AMBIGUOUS = re.compile(r"%2f|%5c|%00|\\|//|(?:^|/)(?:\.|%2e){1,2}(?=/|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Destination:
    """A service, and the path it is asked for."""

    service: str
    path: str


@dataclass(frozen=True)
class Refusal:
    """The answer that the front door gives by itself."""

    status: int
    code: str
    message: str


def destination(path: str, routes: Sequence[Route]) -> Destination | Refusal:
    """The longest route that is a prefix of the still percent-encoded path, which it replaces by `/`."""
    if not path.startswith("/") or _AMBIGUOUS.search(path):
        return Refusal(400, "FRONT-DOOR-PATH-AMBIGUOUS", "The path has empty, dot or encoded-slash segments. Send it in its plain form.")
    matching = [route for route in routes if path.startswith(route.path)]
    if not matching:
        return Refusal(404, "FRONT-DOOR-NO-ROUTE", "No service is published below this path.")
    longest = max(matching, key=lambda route: len(route.path))
    return Destination(longest.service, "/" + path[len(longest.path) :].removeprefix("/"))

"""Access to JSON from outside: a missing or wrong part is an empty value, never an exception."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from math import isfinite

from sre_agent.evidence import Answer, Excerpt
from sre_core import clock

type Json = Mapping[str, object]

_QUANTITY = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[KMGT]i?|[kmn])?B?")
_FACTORS = {
    "": 1.0,
    "k": 1e3,
    "K": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
    "m": 1e-3,
    "n": 1e-9,
}


def part(value: object, *path: str) -> object:
    """Return the value at `path`, None where there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def text(value: object, *path: str) -> str:
    """Return the text (or number) at `path`, empty where there is none."""
    found = part(value, *path)
    return str(found) if isinstance(found, str | int | float) and not isinstance(found, bool) else ""


def whole(value: object, *path: str) -> int | None:
    """Return the whole number at `path`."""
    found = part(value, *path)
    if isinstance(found, bool):
        return None
    if isinstance(found, str) and found.lstrip("-").isdigit():
        return int(found)
    return int(found) if isinstance(found, int | float) and isfinite(found) else None


def number(value: object, *path: str) -> float | None:
    """Return the number at `path`; Kubernetes quantities such as `256Mi` count."""
    found = part(value, *path)
    if isinstance(found, bool):
        return None
    if isinstance(found, int | float):
        return float(found) if isfinite(found) else None
    quantity = _QUANTITY.fullmatch(found.strip()) if isinstance(found, str) else None
    return float(quantity["number"]) * _FACTORS[quantity["unit"] or ""] if quantity else None


def moment(value: object, *path: str) -> datetime | None:
    """Return the time at `path`."""
    found = part(value, *path)
    try:
        return clock.parse(found) if isinstance(found, str) else None
    except ValueError:
        return None


def objects(value: object, *path: str) -> tuple[Json, ...]:
    """Return the objects in the list at `path`."""
    found = part(value, *path)
    return tuple(item for item in found if isinstance(item, Mapping)) if isinstance(found, list) else ()


def texts(value: object, *path: str) -> tuple[str, ...]:
    """Return the texts in the list at `path`."""
    found = part(value, *path)
    return tuple(item for item in found if isinstance(item, str)) if isinstance(found, list) else ()


def items(answer: Answer) -> Iterator[tuple[Json, Excerpt]]:
    """Return the items of an answer, each with the excerpt that shows it."""
    for item in objects(answer.data, "items"):
        yield item, Excerpt(answer, json.dumps(item, ensure_ascii=False))

"""Match filter patterns of CloudWatch Logs against JSON log lines (pure).

Comparisons of one field, joined by `&&` and `||`:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

_TOKEN = re.compile(r'\s*(\(|\)|&&|\|\||!=|>=|<=|=|>|<|"(?:[^"\\]|\\.)*"|[^\s()&|=<>!"]+)')
_PART = re.compile(r"[^\[\]]+")
_ORDER: dict[str, Callable[[Any, Any], bool]] = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}

type Matcher = Callable[[Any], bool]


class PatternUnknown(ValueError):
    """A pattern that CloudWatch Logs refuses, or that the local AWS does not understand."""


def matches(pattern: str, line: str) -> bool:
    """Say if a log line matches. An empty pattern matches every line, one in braces only JSON, any other its words."""
    text = pattern.strip()
    if not text.startswith("{"):
        return all(word.strip('"') in line for word in text.split())
    try:
        parsed = json.loads(line)
    except ValueError:
        return False
    return compile_pattern(text)(parsed)


def compile_pattern(text: str) -> Matcher:
    """Compile a pattern in braces. Raises PatternUnknown."""
    if not (text.startswith("{") and text.endswith("}")):
        raise PatternUnknown(text)
    body = text[1:-1].strip()
    tokens = _TOKEN.findall(body)
    if not tokens or _TOKEN.sub("", body).strip():
        raise PatternUnknown(text)
    matcher = _any_of(tokens)
    if tokens:
        raise PatternUnknown(text)
    return matcher


def read_field(selector: str, parsed: Any) -> Any:
    """Return the value that `$.a.b` or `$.a[0].b` selects; None where there is none."""
    for part in selector.removeprefix("$").strip(".").split("."):
        name, *places = _PART.findall(part)
        parsed = parsed.get(name) if isinstance(parsed, dict) else None
        for place in map(int, places):
            parsed = parsed[place] if isinstance(parsed, list) and place < len(parsed) else None
    return parsed


def _any_of(tokens: list[str]) -> Matcher:
    parts = [_all_of(tokens)]
    while tokens[:1] == ["||"]:
        tokens.pop(0)
        parts.append(_all_of(tokens))
    return lambda parsed: any(part(parsed) for part in parts)


def _all_of(tokens: list[str]) -> Matcher:
    parts = [_one(tokens)]
    while tokens[:1] == ["&&"]:
        tokens.pop(0)
        parts.append(_one(tokens))
    return lambda parsed: all(part(parsed) for part in parts)


def _one(tokens: list[str]) -> Matcher:
    if tokens[:1] == ["("]:
        tokens.pop(0)
        inner = _any_of(tokens)
        if tokens[:1] != [")"]:
            raise PatternUnknown("a parenthesis is not closed")
        tokens.pop(0)
        return inner
    if len(tokens) < 3 or not tokens[0].startswith("$."):
        raise PatternUnknown(" ".join(tokens))
    selector, comparison, value = (tokens.pop(0) for _ in range(3))
    return lambda parsed: _compare(read_field(selector, parsed), comparison, value)


def _compare(found: Any, comparison: str, value: str) -> bool:
    if comparison in _ORDER:
        is_number = isinstance(found, int | float) and not isinstance(found, bool)
        return is_number and _ORDER[comparison](found, float(value))
    if found is None:
        return False
    equal = fnmatchcase(str(found), re.sub(r"([?\[])", r"[\1]", value.strip('"')))
    return equal if comparison == "=" else not equal

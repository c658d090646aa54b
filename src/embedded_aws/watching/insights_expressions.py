"""Conditions and values of CloudWatch Logs Insights (pure): comparisons, `like`, `in`, `and`, `or`, `not`, and a few functions.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-operations-functions.html
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

type Row = Mapping[str, str]
type Value = Callable[[Row], Any]

_TOKEN = re.compile(
    r"""\s*(?:(?P<regex>/(?:[^/\\]|\\.)+/)|(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<number>\d+(?:\.\d+)?[smhd]?\b)"""
    r"|(?P<name>`[^`]+`|@?[A-Za-z_][\w.@-]*)|(?P<sign>=~|!=|<=|>=|[=<>(),\[\]*]))"
)
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "tolower": lambda text: str(text or "").lower(),
    "toupper": lambda text: str(text or "").upper(),
    "strlen": lambda text: len(str(text or "")),
    "trim": lambda text: str(text or "").strip(),
    "ispresent": lambda value: value is not None,
    "isempty": lambda value: value in (None, ""),
    "isblank": lambda value: not str(value or "").strip(),
    "coalesce": lambda *values: next((value for value in values if value is not None), None),
    "strcontains": lambda text, part: int(part in str(text or "")),
}


class QueryMalformed(ValueError):
    """A query that Logs Insights refuses, or that the local AWS does not understand."""


class Tokens:
    """The tokens of one command, read from left to right."""

    def __init__(self, text: str) -> None:
        self._items: list[tuple[str, str]] = []
        position = 0
        while position < len(text.rstrip()):
            match = _TOKEN.match(text, position)
            if not match:
                raise QueryMalformed(f"unexpected symbol at {text[position : position + 20]!r}")
            self._items.append((str(match.lastgroup), match[str(match.lastgroup)]))
            position = match.end()

    def peek(self) -> str:
        """Return the next token in lower case; empty at the end."""
        return self.peek_text().lower()

    def peek_text(self) -> str:
        """Return the next token as it is written; empty at the end."""
        return self._items[0][1] if self._items else ""

    def take(self) -> tuple[str, str]:
        """Return the kind and text of the next token, and go on."""
        if not self._items:
            raise QueryMalformed("the command ends too early")
        return self._items.pop(0)

    def skip(self, *words: str) -> bool:
        """Go past the next tokens if they are these."""
        if [text.lower() for _, text in self._items[: len(words)]] != list(words):
            return False
        del self._items[: len(words)]
        return True

    def expect(self, word: str) -> None:
        """Go past the next token, which has to be this one."""
        if not self.skip(word):
            raise QueryMalformed(f"{word!r} is expected, not {self.peek()!r}")

    def end(self) -> None:
        """Refuse what is left."""
        if self._items:
            raise QueryMalformed(f"unexpected {self.peek()!r}")


def read_condition(tokens: Tokens) -> Value:
    """Read conditions that are joined by `or`."""
    parts = [_read_all_of(tokens)]
    while tokens.skip("or"):
        parts.append(_read_all_of(tokens))
    return parts[0] if len(parts) == 1 else lambda row: any(part(row) for part in parts)


def _read_all_of(tokens: Tokens) -> Value:
    parts = [_read_negated(tokens)]
    while tokens.skip("and"):
        parts.append(_read_negated(tokens))
    return parts[0] if len(parts) == 1 else lambda row: all(part(row) for part in parts)


def _read_negated(tokens: Tokens) -> Value:
    if tokens.skip("not"):
        inner = _read_negated(tokens)
        return lambda row: not inner(row)
    return _read_comparison(tokens)


def _read_comparison(tokens: Tokens) -> Value:
    left = read_value(tokens)
    if tokens.skip("not", "like"):
        matches = _read_pattern(tokens, left)
        return lambda row: not matches(row)
    if tokens.skip("like") or tokens.skip("=~"):
        return _read_pattern(tokens, left)
    if tokens.skip("in"):
        return _read_list(tokens, left)
    if tokens.peek() in ("=", "!=", *_COMPARE):
        return _compare(tokens.take()[1], left, read_value(tokens))
    return left


def _read_pattern(tokens: Tokens, left: Value) -> Value:
    kind, text = tokens.take()
    if kind == "regex":
        expression = compile_regex(text)
        return lambda row: expression.search(str(left(row) or "")) is not None
    if kind != "text":
        raise QueryMalformed(f"like needs a text or a regular expression, not {text!r}")
    part = _unquote(text)
    return lambda row: part in str(left(row) or "")


def _read_list(tokens: Tokens, left: Value) -> Value:
    tokens.expect("[")
    wanted = [read_value(tokens)]
    while tokens.skip(","):
        wanted.append(read_value(tokens))
    tokens.expect("]")
    return lambda row: str(left(row)) in {str(value(row)) for value in wanted}


def _compare(sign: str, left: Value, right: Value) -> Value:
    def compare(row: Row) -> bool:
        one, other = left(row), right(row)
        if sign in ("=", "!="):
            return (_plain(one) == _plain(other)) is (sign == "=")
        try:
            return _COMPARE[sign](float(one), float(other))
        except (TypeError, ValueError):
            return False

    return compare


def read_value(tokens: Tokens) -> Value:
    """Read a field, a literal, a call of a function, or a condition in parentheses."""
    kind, text = tokens.take()
    if kind == "text":
        literal = _unquote(text)
        return lambda row: literal
    if kind == "number":
        return lambda row: float(text)
    if text == "(":
        inner = read_condition(tokens)
        tokens.expect(")")
        return inner
    if kind != "name":
        raise QueryMalformed(f"unexpected {text!r}")
    if tokens.peek() == "(" and not text.startswith("`"):
        return _read_call(text, tokens)
    name = text.strip("`")
    return lambda row: row.get(name)


def _read_call(name: str, tokens: Tokens) -> Value:
    function = _FUNCTIONS.get(name.lower())
    if function is None:
        raise QueryMalformed(f"there is no function {name}")
    tokens.expect("(")
    given = [read_value(tokens)]
    while tokens.skip(","):
        given.append(read_value(tokens))
    tokens.expect(")")
    return lambda row: function(*(value(row) for value in given))


def compile_regex(text: str) -> re.Pattern[str]:
    """Compile a regular expression between slashes; its named groups are written as in Java."""
    try:
        return re.compile(text[1:-1].replace(r"\/", "/").replace("(?<", "(?P<").replace("(?P<=", "(?<=").replace("(?P<!", "(?<!"))
    except re.error as fault:
        raise QueryMalformed(f"{text} is no regular expression: {fault}") from None


def _unquote(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _plain(value: Any) -> Any:
    """Compare numbers as numbers and everything else as text."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return value

"""The line that is wrong, with a caret below the place, and nothing secret in it."""

from __future__ import annotations

import re

from sre_agent_deploy.config.fault import Mark
from sre_agent_deploy.config.redaction import HIDDEN, is_secret_key, redacted

WIDEST = 120


def excerpt(lines: list[str], mark: Mark) -> str:
    """The marked line under its number, and carets below the marked stretch."""
    if not 1 <= mark.line <= len(lines):
        return ""
    source = _printable(lines[mark.line - 1])
    if not source.strip():
        return ""
    shown = HIDDEN if _continues_a_secret(lines, mark.line) else redacted(source)
    # What was hidden before the place moves it to the left.
    start = min(len(redacted(source[: mark.column - 1])), len(shown))
    width = mark.width if source[mark.column - 1 :][: mark.width] == shown[start:][: mark.width] else len(HIDDEN)
    if start >= WIDEST:
        cut = start - WIDEST // 2
        shown, start = "…" + shown[cut:], start - cut + 1
    shown = shown[:WIDEST]
    carets = "^" * max(1, min(width, len(shown) - start))
    gutter = str(mark.line)
    return f"{gutter} | {shown}\n{' ' * len(gutter)} | {' ' * start}{carets}"


def _printable(line: str) -> str:
    # One column each, so the caret stays where it belongs, and no control sequence reaches a terminal.
    return "".join(character if character.isprintable() else " " for character in line)


def _continues_a_secret(lines: list[str], number: int) -> bool:
    """Whether a line belongs to a value that began on a line above, under a key that holds a secret."""
    indent = _indent(lines[number - 1])
    for line in reversed(lines[: number - 1]):
        if line.strip() and _indent(line) < indent:
            key = re.match(r"\s*[\"']?([\w-]+)[\"']?\s*:", line)
            if key:
                return is_secret_key(key[1])
            indent = _indent(line)
    return False


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())

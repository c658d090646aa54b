"""The line that is wrong, with a caret below the place, and nothing secret in it."""

from __future__ import annotations

import re
from functools import cache

from sre_agent_deploy.config.fault import Mark
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.config.nearest import nearest
from sre_agent_deploy.config.redaction import HIDDEN, is_secret_key, redacted

WIDEST = 120
# A key with something behind it that is no reference: the first of a line, as YAML, JSON or a shell has it, and those in braces.
_NAME = r"""["']?(?P<name>[^\s"':={}\[\],#]*)["']?\s*"""
_VALUE = r"""(?=\S)(?!["']?\$\{\w+\})"""
_FIRST = re.compile(rf"\s*(?:-\s+|export\s+)*{_NAME}[:=]\s*{_VALUE}")
_INSIDE = re.compile(rf"[{{,]\s*{_NAME}:\s+{_VALUE}")


def excerpt(lines: list[str], mark: Mark, *, free_keys: bool = False) -> str:
    """The marked line under its number, and carets below the marked stretch. Where keys are the user's to choose, any value is shown."""
    if not 1 <= mark.line <= len(lines):
        return ""
    source = _printable(lines[mark.line - 1])
    if not source.strip():
        return ""
    hidden = redacted if free_keys else _guarded
    shown = HIDDEN if _continues_a_secret(lines, mark.line) else hidden(source)
    # What was hidden before the place moves it to the left.
    before = source[: mark.column - 1]
    start = min(len(before if shown.startswith(before) else hidden(before)), len(shown))
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


def _guarded(line: str) -> str:
    """The line without what may be a secret: behind a key that no setting is like, that is anything."""
    first = _FIRST.match(line)
    for found in (*([first] if first else ()), *_INSIDE.finditer(line)):
        if not is_secret_key(found["name"]) and not _is_harmless(found["name"]):
            return redacted(line[: found.end()]) + HIDDEN
    return redacted(line)


@cache
def _is_harmless(key: str) -> bool:
    """Whether a key is, or was meant to be, a setting that holds no secret."""
    settings = {
        *Config.model_fields,
        *(name for section in Config().model_dump().values() if isinstance(section, dict) for name in section),
    }
    meant = key if key in settings else nearest(key, sorted(settings))
    return meant is not None and not is_secret_key(meant)


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

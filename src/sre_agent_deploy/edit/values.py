"""Parse values as people type them, and render values as YAML or JSON in the quotes of the user (pure)."""

from __future__ import annotations

import json
import re

from sre_agent_deploy.config.document import Plain, to_plain
from sre_agent_deploy.config.parse import Malformed, parse

# Words, paths, ARNs and ${NAME} need no quotes in a block; between brackets and braces, fewer characters are free.
_PLAIN = re.compile(r"[A-Za-z0-9_./$](?:[\w./+=@~%${}:*-]|(?<![:\s]) (?=[\w./$]))*(?<!:)", re.ASCII)
_PLAIN_IN_FLOW = re.compile(r"[A-Za-z0-9_./][\w./+=@-]*", re.ASCII)
# An account ID is no number; other programs that read YAML would make one of it, and editors would object.
_LONG_NUMBER = re.compile(r"0\d+|\d{9,}", re.ASCII)
_NOT_TEXT = frozenset({"null", "Null", "NULL", "~", ""})


def render_scalar(text: str, *, quote: str = "", flow: bool = False) -> str:
    """Render a text so that the loader reads exactly the same again."""
    if quote == "'" and text.isprintable() and text:
        return "'" + text.replace("'", "''") + "'"
    unquoted = (_PLAIN_IN_FLOW if flow else _PLAIN).fullmatch(text) and text not in _NOT_TEXT and not _LONG_NUMBER.fullmatch(text)
    if unquoted and quote != '"':
        return text
    return quote_text(text)


def quote_text(text: str) -> str:
    """Put a text between double quotes, which YAML and JSON read alike."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def render_value(plain: Plain, *, quote: str = "", flow: bool = False, strict: bool = False) -> str:
    """Render a scalar, or a list or mapping on one line. `strict` is JSON, where everything is quoted."""
    match plain:
        case str(text):
            return quote_text(text) if strict else render_scalar(text, quote=quote, flow=flow)
        case list(items):
            return "[" + ", ".join(render_value(item, flow=True, strict=strict) for item in items) + "]"
        case dict(entries):
            pairs = (
                f"{render_key(name, flow=True, strict=strict)}: {render_value(item, flow=True, strict=strict)}"
                for name, item in entries.items()
            )
            return "{" + ", ".join(pairs) + "}"


def render_key(name: str, *, flow: bool = False, strict: bool = False) -> str:
    """Render a key as it is written before its colon."""
    return quote_text(name) if strict else render_scalar(name, flow=flow)


def parse_path(key: str) -> tuple[str, ...]:
    """Parse `deployment.instance_type` into a path; a tag's own key keeps its dots."""
    section, dot, rest = key.partition(".")
    if section == "tags" and dot:
        return (section, rest)
    return tuple(key.split("."))


def parse_value(text: str) -> Plain:
    """Parse a list or mapping as YAML; take everything else as text."""
    tree = parse(text) if text.lstrip().startswith(("[", "{")) else None
    value = None if tree is None or isinstance(tree, Malformed) else to_plain(tree)
    return text if value is None else value

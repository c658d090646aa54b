"""START HERE: put one value into a configuration's text, or rename a key, and leave every other character alone (pure)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sre_agent_deploy.config.document import Malformed, Piece, Plain, Span, find_pieces
from sre_agent_deploy.config.fault import format_path
from sre_agent_deploy.edit.file import (
    change_values,
    find_comments_within,
    find_newline,
    read_values,
    render_key,
    render_value,
    replace_tabs,
)
from sre_core.problem import Problem
from sre_core.redaction import redact_line


def put(text: str, path: tuple[str, ...], value: Plain) -> str | Problem:
    """Put `value` at `path`, and keep all comments, the order and the formatting of the rest.

    What comes out is read again and compared, so a text that is too unusual to edit is refused, never damaged.
    """
    before = read_values(text)
    if isinstance(before, Malformed):
        return _unsafe(path, "The file is not valid YAML or JSON.")
    pieces = find_pieces(replace_tabs(text))
    there = next((piece for piece in reversed(pieces) if piece.path == path), None)
    edited = _replace(text, pieces, there, value) if there else _add(text, pieces, path, value)
    if edited is None or read_values(edited) != change_values(before, path, value):
        return _unsafe(path, "It is written in a form that can't be changed without risk for the rest of the file.")
    return edited


def _replace(text: str, pieces: tuple[Piece, ...], old: Piece, value: Plain) -> str:
    inside = old.flow and old.kind == "scalar"
    written = render_value(value, quote=old.quote, flow=inside, strict=pieces[0].flow)
    kept = find_comments_within(text, old, pieces)
    if old.key and old.kind != "scalar" and not old.flow:
        return _replace_block(text, old.key, old.value, written, kept)
    head, tail = text[: old.value.start], text[old.value.end :]
    rest, newline, below = tail.partition("\n")
    space = " " if head.endswith(":") else ""
    lines = _render_comments(kept, _find_indent(text, old.value.start), find_newline(text))
    return head + space + written + rest + (newline or (find_newline(text) if lines else "")) + lines + below


def _replace_block(text: str, key: Span, old: Span, written: str, kept: tuple[str, ...]) -> str:
    """Replace a list or mapping on the lines below its key by a value beside the key; comments in it stay."""
    colon = text.index(":", key.end) + 1
    start = text.rfind("\n", 0, old.start) + 1
    _, _, below = text[old.end :].partition("\n")
    return (
        text[:colon] + " " + written + text[colon:start] + _render_comments(kept, _find_indent(text, old.start), find_newline(text)) + below
    )


def _render_comments(comments: tuple[str, ...], indent: str, newline: str) -> str:
    return "".join(f"{indent}{comment}{newline}" for comment in comments)


def _find_indent(text: str, position: int) -> str:
    found = re.match(r" *", text[text.rfind("\n", 0, position) + 1 :])
    return found[0] if found else ""


def _unsafe(path: tuple[str, ...], why: str) -> Problem:
    name = redact_line(format_path(path))
    return Problem(
        code="EDIT-UNSAFE",
        what=f"{name} was not changed.",
        why=why,
        do=(f"Change {name} in the file with an editor.", "Check the result: `sre-agent-deploy validate`. Nothing was changed."),
    )


def _add(text: str, pieces: Sequence[Piece], path: tuple[str, ...], value: Plain) -> str | None:
    """Add a new key; None if the path leads through a value that is no section."""
    depth = next((depth for depth in range(len(path) - 1, 0, -1) if _find_last(pieces, path[:depth])), 0)
    above = _find_last(pieces, path[:depth]) if pieces else None
    if above is None:
        return _append(text, _render_block(path, value, "", find_newline(text)))
    rest = path[depth:]
    if above.kind == "sequence" or (above.kind == "scalar" and above.value.start != above.value.end):
        return None
    if above.kind == "scalar":
        return _add_to_empty(text, above, rest, value)
    if above.flow:
        return _add_to_braces(text, pieces, above, rest, value)
    first = _find_children(pieces, above)[0]
    indent = " " * _find_column(text, first.key.start if first.key else 0)
    block = _render_block(rest, value, indent, find_newline(text))
    return _insert_after_line(text, above.value.end, block) if depth else _append(text, block)


def _find_last(pieces: Sequence[Piece], path: tuple[str, ...]) -> Piece | None:
    return next((piece for piece in reversed(pieces) if piece.path == path), None)


def _find_children(pieces: Sequence[Piece], above: Piece) -> list[Piece]:
    return [piece for piece in pieces if len(piece.path) == len(above.path) + 1 and piece.path[:-1] == above.path]


def _render_block(path: tuple[str, ...], value: Plain, indent: str, newline: str) -> str:
    """Render `section:` and `key: value` lines."""
    lines = [f"{indent}{'  ' * depth}{render_key(step)}:" for depth, step in enumerate(path)]
    return newline.join(lines) + f" {render_value(value)}" + newline


def _add_to_empty(text: str, above: Piece, rest: tuple[str, ...], value: Plain) -> str:
    """Add an entry to a `section:` that is empty."""
    indent = " " * (_find_column(text, above.key.start if above.key else 0) + 2)
    return _insert_after_line(text, above.value.end, _render_block(rest, value, indent, find_newline(text)))


def _add_to_braces(text: str, pieces: Sequence[Piece], above: Piece, rest: tuple[str, ...], value: Plain) -> str:
    strict = pieces[0].flow
    plain: Plain = value
    for step in reversed(rest[1:]):
        plain = {step: plain}
    entry = f"{render_key(rest[0], flow=True, strict=strict)}: {render_value(plain, flow=True, strict=strict)}"
    children = _find_children(pieces, above)
    if not children:
        return text[: above.value.start + 1] + entry + text[above.value.start + 1 :]
    last = children[-1]
    start = last.key.start if last.key else last.value.start
    line_start = text.rfind("\n", 0, start) + 1
    alone = not text[line_start:start].strip()
    between = find_newline(text) + text[line_start:start] if alone else " "
    return text[: last.value.end] + "," + between + entry + text[last.value.end :]


def _find_column(text: str, position: int) -> int:
    return position - (text.rfind("\n", 0, position) + 1)


def _insert_after_line(text: str, position: int, block: str) -> str:
    end = text.find("\n", position)
    return _append(text, block) if end < 0 else text[: end + 1] + block + text[end + 1 :]


def _append(text: str, block: str) -> str:
    gap = "" if not text or text.endswith("\n") else find_newline(text)
    return text + gap + block


def rename_key(text: str, path: tuple[str, ...], key: str) -> str:
    """Rename the last key of `path` to `key`, and keep value and comments. Without that key the text stays the same."""
    pieces = find_pieces(replace_tabs(text))
    old = next((piece.key for piece in pieces if piece.path == path), None)
    return text if old is None else text[: old.start] + render_key(key, flow=pieces[0].flow, strict=pieces[0].flow) + text[old.end :]

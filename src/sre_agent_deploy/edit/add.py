"""A key that is not there yet: behind the last one of its section, in the section's own indentation (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from sre_agent_deploy.config.document import Plain
from sre_agent_deploy.config.spans import Piece
from sre_agent_deploy.edit import render
from sre_agent_deploy.edit.comments import newline_of


def added(text: str, pieces: Sequence[Piece], path: tuple[str, ...], value: Plain) -> str | None:
    """The text with a new key, or None where the section above it is no section."""
    depth = next((depth for depth in range(len(path) - 1, 0, -1) if _last(pieces, path[:depth])), 0)
    above = _last(pieces, path[:depth]) if pieces else None
    if above is None:
        return _at_end(text, _block(path, value, "", newline_of(text)))
    rest = path[depth:]
    if above.kind == "sequence" or (above.kind == "scalar" and above.value.start != above.value.end):
        return None
    if above.kind == "scalar":
        return _into_empty(text, above, rest, value)
    if above.flow:
        return _into_braces(text, pieces, above, rest, value)
    first = _children(pieces, above)[0]
    indent = " " * _column(text, first.key.start if first.key else 0)
    block = _block(rest, value, indent, newline_of(text))
    return _after_line(text, above.value.end, block) if depth else _at_end(text, block)


def _last(pieces: Sequence[Piece], path: tuple[str, ...]) -> Piece | None:
    return next((piece for piece in reversed(pieces) if piece.path == path), None)


def _children(pieces: Sequence[Piece], above: Piece) -> list[Piece]:
    return [piece for piece in pieces if len(piece.path) == len(above.path) + 1 and piece.path[:-1] == above.path]


def _block(path: tuple[str, ...], value: Plain, indent: str, newline: str) -> str:
    """`section:` and `key: value` lines."""
    lines = [f"{indent}{'  ' * depth}{render.key(step)}:" for depth, step in enumerate(path)]
    return newline.join(lines) + f" {render.value(value)}" + newline


def _into_empty(text: str, above: Piece, rest: tuple[str, ...], value: Plain) -> str:
    """Below a `section:` that holds nothing yet."""
    indent = " " * (_column(text, above.key.start if above.key else 0) + 2)
    return _after_line(text, above.value.end, _block(rest, value, indent, newline_of(text)))


def _into_braces(text: str, pieces: Sequence[Piece], above: Piece, rest: tuple[str, ...], value: Plain) -> str:
    strict = pieces[0].flow
    plain: Plain = value
    for step in reversed(rest[1:]):
        plain = {step: plain}
    entry = f"{render.key(rest[0], flow=True, strict=strict)}: {render.value(plain, flow=True, strict=strict)}"
    children = _children(pieces, above)
    if not children:
        return text[: above.value.start + 1] + entry + text[above.value.start + 1 :]
    last = children[-1]
    start = last.key.start if last.key else last.value.start
    line_start = text.rfind("\n", 0, start) + 1
    alone = not text[line_start:start].strip()
    between = newline_of(text) + text[line_start:start] if alone else " "
    return text[: last.value.end] + "," + between + entry + text[last.value.end :]


def _column(text: str, position: int) -> int:
    return position - (text.rfind("\n", 0, position) + 1)


def _after_line(text: str, position: int, block: str) -> str:
    end = text.find("\n", position)
    return _at_end(text, block) if end < 0 else text[: end + 1] + block + text[end + 1 :]


def _at_end(text: str, block: str) -> str:
    gap = "" if not text or text.endswith("\n") else newline_of(text)
    return text + gap + block

"""Change one value in the text of a configuration, and list the values in which two configurations differ (pure).

Comments, order, line ends and the quotes of the user stay as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from sre_agent_deploy.config import format_path
from sre_agent_deploy.config.document import Malformed, Piece, Plain, Scalar, Sequence, Span, Tree, find_pieces, parse, to_plain
from sre_agent_deploy.config.environment import SecretReference
from sre_core.problem import Problem
from sre_core.redaction import HIDDEN, is_secret_name, redact_line


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


def _add(text: str, pieces: tuple[Piece, ...], path: tuple[str, ...], value: Plain) -> str | None:
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


def _find_last(pieces: tuple[Piece, ...], path: tuple[str, ...]) -> Piece | None:
    return next((piece for piece in reversed(pieces) if piece.path == path), None)


def _find_children(pieces: tuple[Piece, ...], above: Piece) -> list[Piece]:
    return [piece for piece in pieces if len(piece.path) == len(above.path) + 1 and piece.path[:-1] == above.path]


def _render_block(path: tuple[str, ...], value: Plain, indent: str, newline: str) -> str:
    """Render `section:` and `key: value` lines."""
    lines = [f"{indent}{'  ' * depth}{render_key(step)}:" for depth, step in enumerate(path)]
    return newline.join(lines) + f" {render_value(value)}" + newline


def _add_to_empty(text: str, above: Piece, rest: tuple[str, ...], value: Plain) -> str:
    """Add an entry to a `section:` that is empty."""
    indent = " " * (_find_column(text, above.key.start if above.key else 0) + 2)
    return _insert_after_line(text, above.value.end, _render_block(rest, value, indent, find_newline(text)))


def _add_to_braces(text: str, pieces: tuple[Piece, ...], above: Piece, rest: tuple[str, ...], value: Plain) -> str:
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


_EMPTY: tuple[object, ...] = (None, "", [], {})


def replace_tabs(text: str) -> str:
    """Replace tabs by spaces in JSON, which may be indented with them. No character moves."""
    return text.replace("\t", " ") if text.lstrip().startswith("{") else text


def read_values(text: str) -> Plain | Malformed | None:
    """Read the values of a text. Empty values are left out, as the loader does."""
    tree = parse(replace_tabs(text))
    return tree if isinstance(tree, Malformed) else _convert(tree)


def _convert(tree: Tree) -> Plain | None:
    match tree:
        case Scalar() | Sequence():
            return to_plain(tree)
        case _:
            pairs = ((entry.key, _convert(entry.value)) for entry in tree.entries)
            return {name: value for name, value in pairs if value is not None and value not in _EMPTY}


def change_values(data: Plain | None, path: tuple[str, ...], value: Plain) -> Plain:
    """Compute the expected values after one was put at `path`."""
    step, *deeper = path
    result = dict(data) if isinstance(data, dict) else {}
    new = change_values(result.get(step), tuple(deeper), value) if deeper else _drop_empty(value)
    result.pop(step, None)
    return result if new in _EMPTY else {**result, step: new}


def _drop_empty(value: Plain) -> Plain:
    match value:
        case list(items):
            return [_drop_empty(item) for item in items if item != ""]
        case dict(entries):
            return {name: _drop_empty(item) for name, item in entries.items() if item not in _EMPTY}
        case _:
            return value


_COMMENT = re.compile(r"(?:(?<=\s)|^)#[^\r\n]*")


def find_comments(text: str, pieces: Iterable[Piece]) -> tuple[Span, ...]:
    """Find the comments of a text, in its order."""
    return tuple(Span(found.start(), found.end()) for found in _COMMENT.finditer(_blank_values(text, pieces)))


def find_comments_within(text: str, piece: Piece, pieces: tuple[Piece, ...]) -> tuple[str, ...]:
    """Find the comments that would be lost if this value were removed."""
    if piece.kind == "scalar":
        return ()
    end = text.find("\n", piece.value.end) if not piece.flow else piece.value.end
    within = Span(piece.value.start, end if end >= 0 else len(text))
    return tuple(text[found.start : found.end] for found in find_comments(text, pieces) if within.start <= found.start < within.end)


def _blank_values(text: str, pieces: Iterable[Piece]) -> str:
    """Blank out every key and scalar; no character moves."""
    parts = list(text)
    for piece in pieces:
        for span in (piece.key, piece.value if piece.kind == "scalar" else None):
            if span:
                parts[span.start : span.end] = "_" * (span.end - span.start)
    return "".join(parts)


def find_newline(text: str) -> str:
    """Find the line end that a text uses."""
    return "\r\n" if "\r\n" in text else "\n"


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


type Choice = Literal["mine", "theirs", "abort"]
type Field = tuple[str, ...]
LAYOUT: Field = ()
"""The path of a difference that is in comments, order or formatting alone."""


@dataclass(frozen=True)
class Difference:
    """One field with its two values; None if a side has none."""

    field: Field
    mine: Plain | None
    theirs: Plain | None

    @property
    def name(self) -> str:
        if self.field[:1] == (".env",):
            return f"{self.field[1]} in .env"
        return redact_line(format_path(self.field)) if self.field else "comments, order and formatting"

    def show(self) -> tuple[str, str]:
        """Render both values as text, without secrets."""
        if not self.field:
            return "as they are in the file", "as they are in the other"
        return self._show(self.mine), self._show(self.theirs)

    def _show(self, plain: Plain | None) -> str:
        if plain is None:
            return "(not set)"
        text = render_value(plain)
        secret = any(map(is_secret_name, self.field)) and not SecretReference.parse(text)
        return HIDDEN if secret else redact_line(text)


class Chooser(Protocol):
    """The decision for each difference: of the user at a terminal, or of the --conflict option."""

    def __call__(self, difference: Difference, /) -> Choice: ...


def compare(mine: Plain | None, theirs: Plain | None) -> tuple[Difference, ...]:
    """List every field in which two configurations differ, in the order of mine, then of theirs."""
    ours, others = dict(_walk_fields(mine)), dict(_walk_fields(theirs))
    return tuple(
        Difference(field, ours.get(field), others.get(field))
        for field in dict.fromkeys((*ours, *others))
        if ours.get(field) != others.get(field)
    )


def _walk_fields(plain: Plain | None, path: Field = ()) -> Iterator[tuple[Field, Plain]]:
    """Yield each leaf with its path; a list is one value."""
    if isinstance(plain, dict):
        for key, below in plain.items():
            yield from _walk_fields(below, (*path, key))
    elif plain is not None:
        yield path, plain

"""START HERE: put one value into a configuration's text, and leave every other character alone (pure)."""

from __future__ import annotations

import re

from sre_agent_deploy.config.document import Plain, Scalar, Sequence, Tree, plain
from sre_agent_deploy.config.fault import FieldPath, dotted
from sre_agent_deploy.config.parse import Malformed, parse
from sre_agent_deploy.config.redaction import redacted
from sre_agent_deploy.config.spans import Piece, spans
from sre_agent_deploy.edit import render
from sre_agent_deploy.edit.add import added
from sre_agent_deploy.edit.comments import comments_within, newline_of
from sre_core.problem import Problem

type Steps = tuple[str, ...]


def put(text: str, path: Steps, value: Plain) -> str | Problem:
    """The text with `value` at `path`; all comments, the order and the formatting of the rest are kept.

    What comes out is read again and compared, so a text that is too unusual to edit is refused, never damaged.
    """
    before = _read(text)
    if isinstance(before, Malformed):
        return _unsafe(path, "The file is not valid YAML.")
    pieces = spans(text)
    there = next((piece for piece in reversed(pieces) if piece.path == path), None)
    edited = _replaced(text, pieces, there, value) if there else added(text, pieces, path, value)
    if edited is None or _read(edited) != _with(before, path, value):
        return _unsafe(path, "What stands there is written in a way that can't be changed by one value.")
    return edited


def _replaced(text: str, pieces: tuple[Piece, ...], old: Piece, value: Plain) -> str:
    strict = pieces[0].flow
    below_key = old.kind != "scalar" and not old.flow
    written = render.value(value, quote=old.quote, flow=old.flow and old.kind == "scalar", strict=strict)
    kept = comments_within(text, old, pieces)
    if below_key and old.key:
        return _block_replaced(text, old, written, kept)
    head, tail = text[: old.value.start], text[old.value.end :]
    space = " " if head.endswith(":") else ""
    if kept:
        rest, end, after = tail.partition("\n")
        tail = (
            rest + newline_of(text) + _lines(kept, _indent(text, old.value.start), text) + after if end else rest + "  " + "  ".join(kept)
        )
    return head + space + written + tail


def _block_replaced(text: str, old: Piece, written: str, kept: tuple[str, ...]) -> str:
    """A list or mapping that stands on lines below its key moves up beside the key; comments in it stay."""
    assert old.key  # noqa: S101  # a block without a key is the root, which is never replaced
    colon = text.index(":", old.key.end) + 1
    start = text.rfind("\n", 0, old.value.start) + 1
    end = text.find("\n", old.value.end)
    rest = text[end + 1 :] if end >= 0 else ""
    return text[:colon] + " " + written + text[colon:start] + _lines(kept, _indent(text, old.value.start), text) + rest


def _lines(comments: tuple[str, ...], indent: str, text: str) -> str:
    return "".join(f"{indent}{comment}{newline_of(text)}" for comment in comments)


def _indent(text: str, position: int) -> str:
    start = text.rfind("\n", 0, position) + 1
    found = re.match(r" *", text[start:])
    return found[0] if found else ""


def _read(text: str) -> Plain | None | Malformed:
    tree = parse(text)
    return tree if isinstance(tree, Malformed) else _exact(tree)


def _exact(tree: Tree) -> Plain | None:
    """Like `plain`, but an empty mapping and an absent one are the same."""
    match tree:
        case Scalar() | Sequence():
            return plain(tree)
        case _:
            pairs = ((entry.key, _exact(entry.value)) for entry in tree.entries)
            return {name: value for name, value in pairs if value not in (None, {}, [])}


def _with(data: Plain | None, path: Steps, value: Plain) -> Plain | None:
    step, *deeper = path
    changed = dict(data) if isinstance(data, dict) else {}
    new = _with(changed.get(step), tuple(deeper), value) if deeper else _without_empty(value)
    if new in (None, {}, [], ""):
        changed.pop(step, None)
    elif new is not None:
        changed[step] = new
    return changed


def _without_empty(value: Plain) -> Plain:
    match value:
        case list(items):
            return [_without_empty(item) for item in items if item != ""]
        case dict(entries):
            return {name: _without_empty(item) for name, item in entries.items() if item not in ("", {}, [])}
        case _:
            return value


def _unsafe(path: FieldPath, why: str) -> Problem:
    name = redacted(dotted(path))
    return Problem(
        code="EDIT-UNSAFE",
        what=f"{name} was not changed.",
        why=why,
        do=(f"Write {name} into the file by hand.", "Check it: `sre-agent-deploy validate`. Nothing was changed."),
    )

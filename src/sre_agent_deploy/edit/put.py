"""START HERE: put one value into a configuration's text, and leave every other character alone (pure)."""

from __future__ import annotations

import re

from sre_agent_deploy.config.document import Plain
from sre_agent_deploy.config.fault import dotted
from sre_agent_deploy.config.parse import Malformed
from sre_agent_deploy.config.redaction import redacted
from sre_agent_deploy.config.spans import Piece, Span, spans
from sre_agent_deploy.edit import render
from sre_agent_deploy.edit.add import added
from sre_agent_deploy.edit.comments import comments_within, newline_of
from sre_agent_deploy.edit.meant import changed, meaning, readable
from sre_core.problem import Problem


def put(text: str, path: tuple[str, ...], value: Plain) -> str | Problem:
    """The text with `value` at `path`; all comments, the order and the formatting of the rest are kept.

    What comes out is read again and compared, so a text that is too unusual to edit is refused, never damaged.
    """
    before = meaning(text)
    if isinstance(before, Malformed):
        return _unsafe(path, "The file is not valid YAML or JSON.")
    pieces = spans(readable(text))
    there = next((piece for piece in reversed(pieces) if piece.path == path), None)
    edited = _replaced(text, pieces, there, value) if there else added(text, pieces, path, value)
    if edited is None or meaning(edited) != changed(before, path, value):
        return _unsafe(path, "What stands there is written in a way that can't be changed by one value.")
    return edited


def _replaced(text: str, pieces: tuple[Piece, ...], old: Piece, value: Plain) -> str:
    inside = old.flow and old.kind == "scalar"
    written = render.value(value, quote=old.quote, flow=inside, strict=pieces[0].flow)
    kept = comments_within(text, old, pieces)
    if old.key and old.kind != "scalar" and not old.flow:
        return _moved_up(text, old.key, old.value, written, kept)
    head, tail = text[: old.value.start], text[old.value.end :]
    rest, newline, below = tail.partition("\n")
    space = " " if head.endswith(":") else ""
    lines = _lines(kept, _indent(text, old.value.start), newline_of(text))
    return head + space + written + rest + (newline or (newline_of(text) if lines else "")) + lines + below


def _moved_up(text: str, key: Span, old: Span, written: str, kept: tuple[str, ...]) -> str:
    """A list or mapping that stood on the lines below its key now stands beside it; comments in it stay."""
    colon = text.index(":", key.end) + 1
    start = text.rfind("\n", 0, old.start) + 1
    _, _, below = text[old.end :].partition("\n")
    return text[:colon] + " " + written + text[colon:start] + _lines(kept, _indent(text, old.start), newline_of(text)) + below


def _lines(comments: tuple[str, ...], indent: str, newline: str) -> str:
    return "".join(f"{indent}{comment}{newline}" for comment in comments)


def _indent(text: str, position: int) -> str:
    found = re.match(r" *", text[text.rfind("\n", 0, position) + 1 :])
    return found[0] if found else ""


def _unsafe(path: tuple[str, ...], why: str) -> Problem:
    name = redacted(dotted(path))
    return Problem(
        code="EDIT-UNSAFE",
        what=f"{name} was not changed.",
        why=why,
        do=(f"Write {name} into the file by hand.", "Check it: `sre-agent-deploy validate`. Nothing was changed."),
    )

"""Comments, told apart from values that have a # in them (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sre_agent_deploy.config.spans import Piece, Span

_COMMENT = re.compile(r"(?:(?<=\s)|^)#[^\r\n]*")


def comments(text: str, pieces: Iterable[Piece]) -> tuple[Span, ...]:
    """Where the comments of a text stand, in its order."""
    return tuple(Span(found.start(), found.end()) for found in _COMMENT.finditer(_without_values(text, pieces)))


def comments_within(text: str, piece: Piece, pieces: tuple[Piece, ...]) -> tuple[str, ...]:
    """The comments that would go if this value went."""
    if piece.kind == "scalar":
        return ()
    end = text.find("\n", piece.value.end) if not piece.flow else piece.value.end
    within = Span(piece.value.start, end if end >= 0 else len(text))
    return tuple(text[found.start : found.end] for found in comments(text, pieces) if within.start <= found.start < within.end)


def _without_values(text: str, pieces: Iterable[Piece]) -> str:
    """The text with every key and scalar blanked out, each character at its place."""
    parts = list(text)
    for piece in pieces:
        for span in (piece.key, piece.value if piece.kind == "scalar" else None):
            if span:
                parts[span.start : span.end] = "_" * (span.end - span.start)
    return "".join(parts)


def newline_of(text: str) -> str:
    """How lines end in this text."""
    return "\r\n" if "\r\n" in text else "\n"

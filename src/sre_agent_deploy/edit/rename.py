"""Another name for a key, in its place: what most steps between formats do (pure)."""

from __future__ import annotations

from sre_agent_deploy.config.spans import spans
from sre_agent_deploy.edit import render
from sre_agent_deploy.edit.meant import readable


def renamed(text: str, path: tuple[str, ...], key: str) -> str:
    """The text with the last key of `path` called `key`, value and comments as they are; without that key, the same text."""
    pieces = spans(readable(text))
    old = next((piece.key for piece in pieces if piece.path == path), None)
    return text if old is None else text[: old.start] + render.key(key, flow=pieces[0].flow, strict=pieces[0].flow) + text[old.end :]

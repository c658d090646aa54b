"""Where each key and value of a YAML text begins and ends, so that one can be replaced and all else stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sre_agent_deploy.config.fault import FieldPath

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node


@dataclass(frozen=True)
class Span:
    """Characters `start` (counted from 0) to `end`, which is the first one behind it."""

    start: int
    end: int


@dataclass(frozen=True)
class Piece:
    """A value with its key, if it has one. `flow` is true inside and at brackets and braces."""

    path: FieldPath
    key: Span | None
    value: Span
    kind: Literal["scalar", "sequence", "mapping"]
    flow: bool
    quote: str = ""


def spans(text: str) -> tuple[Piece, ...]:
    """Every value of a text that `parse` accepts, in the order of the text; the root, if there is one, comes first."""
    from ruamel.yaml import YAML

    root = YAML(typ="safe", pure=True).compose(text)
    return () if root is None else tuple(_pieces(root, (), None, text, flow=False))


def _pieces(node: Node, path: FieldPath, key: Span | None, text: str, *, flow: bool) -> Iterator[Piece]:
    from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

    if isinstance(node, ScalarNode):
        span = _scalar_span(node, text)
        if span.start == span.end and key and not node.style:
            # The parser places an empty value at the next key; people see it behind its own colon.
            behind = text.index(":", key.end) + 1
            span = Span(behind, behind)
        yield Piece(path, key, span, "scalar", flow, node.style or "")
        return
    assert isinstance(node, MappingNode | SequenceNode)  # YAML has no other
    flow = flow or bool(node.flow_style)
    below: list[Piece] = []
    if isinstance(node, MappingNode):
        for name, value in node.value:
            below.extend(_pieces(value, (*path, str(name.value)), _scalar_span(name, text), text, flow=flow))
    else:
        for index, item in enumerate(node.value):
            below.extend(_pieces(item, (*path, index), None, text, flow=flow))
    start, end = node.start_mark.index, node.end_mark.index
    # A block ends, for the parser, where the next thing begins; here, where its own last value ends.
    own = end if flow else max((piece.value.end for piece in below), default=start)
    yield Piece(path, key, Span(start, own), "mapping" if isinstance(node, MappingNode) else "sequence", flow)
    yield from below


def _scalar_span(node: Node, text: str) -> Span:
    start, end = node.start_mark.index, node.end_mark.index
    return Span(start, start + len(text[start:end].rstrip()))

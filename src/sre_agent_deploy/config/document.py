"""Parse YAML or JSON text, into a tree in which every key and value has its line and column, or into spans that can be replaced.

Scalars stay text: the field decides what they mean, not YAML's guess. So an account ID without quotes keeps its leading
zero, and `no` is only a boolean where a boolean is asked for. Only this module knows ruamel.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from sre_agent_deploy.config import Fault, FieldPath, Mark, format_path
from sre_core.redaction import redact_line

if TYPE_CHECKING:
    from ruamel.yaml.error import MarkedYAMLError
    from ruamel.yaml.nodes import Node


@dataclass(frozen=True)
class Scalar:
    """A text; empty where nothing was written (`key:`, `~`, `null`, `""`)."""

    text: str
    mark: Mark
    origin: str = ""  # the environment variable that overrides the file here
    variables: tuple[str, ...] = ()  # the environment variables that were put into it


@dataclass(frozen=True)
class Sequence:
    items: tuple[Tree, ...]
    mark: Mark


@dataclass(frozen=True)
class Entry:
    """One `key: value`."""

    key: str
    value: Tree
    mark: Mark


@dataclass(frozen=True)
class Mapping:
    entries: tuple[Entry, ...]
    mark: Mark


type Tree = Scalar | Sequence | Mapping
type Plain = str | list[Plain] | dict[str, Plain]


def to_plain(tree: Tree) -> Plain | None:
    """Convert a tree to plain values without positions. Empty values are left out, and the last of two equal keys wins."""
    match tree:
        case Scalar(text=text):
            return text or None
        case Sequence(items=items):
            return [value for value in map(to_plain, items) if value is not None]
        case Mapping(entries=entries):
            return {entry.key: value for entry in entries if (value := to_plain(entry.value)) is not None}


def walk(tree: Tree, path: FieldPath = ()) -> Iterator[tuple[FieldPath, Tree]]:
    """Yield every node with the path to it, in the order of the text."""
    yield path, tree
    match tree:
        case Sequence(items=items):
            for index, item in enumerate(items):
                yield from walk(item, (*path, index))
        case Mapping(entries=entries):
            for entry in entries:
                yield from walk(entry.value, (*path, entry.key))


@dataclass(frozen=True)
class Position:
    """The position of a field: the marks of its key and its value, or of the nearest section above if it is absent."""

    key: Mark
    value: Mark
    node: Tree | None


def find_position(tree: Tree, path: FieldPath) -> Position:
    """Find the position of the value at `path`."""
    key = tree.mark
    for step in path:
        found = _find_child(tree, step)
        if found is None:
            return Position(key, key, None)
        key, tree = found
    empty = isinstance(tree, Scalar) and not tree.text
    elsewhere = tree.mark.line != key.line
    return Position(key, key if empty or elsewhere else tree.mark, tree)


def _find_child(tree: Tree, step: str | int) -> tuple[Mark, Tree] | None:
    if isinstance(tree, Sequence) and isinstance(step, int) and step < len(tree.items):
        return tree.items[step].mark, tree.items[step]
    if isinstance(tree, Mapping):
        for entry in reversed(tree.entries):
            if entry.key == step:
                return entry.mark, entry.value
    return None


def duplicate_faults(tree: Tree) -> Iterator[Fault]:
    """Yield a fault for each key that is written a second time in its section."""
    for path, node in walk(tree):
        if isinstance(node, Mapping):
            first: dict[str, Mark] = {}
            for entry in node.entries:
                if entry.key in first:
                    yield _duplicate((*path, entry.key), first[entry.key], entry.mark)
                first.setdefault(entry.key, entry.mark)


def _duplicate(path: FieldPath, first: Mark, mark: Mark) -> Fault:
    return Fault(
        code="CONFIG-DUPLICATE-KEY",
        path=path,
        what=f"{format_path((*path[:-1], redact_line(str(path[-1]))))} is written twice.",
        why=f"It is already in line {first.line}, and only one of two values would be used.",
        do=("Remove one of the two lines, then check: sre-agent-deploy validate",),
        mark=mark,
    )


DEEPEST = 20
_NULL = "tag:yaml.org,2002:null"
_ORDINARY = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "timestamp", "merge", "map", "seq"))


@dataclass(frozen=True)
class Malformed:
    """A text that is not YAML that a configuration can use. `says` is the parser's own message; text_file.py explains it."""

    says: str
    mark: Mark
    opened: Mark  # where the broken value began


class _Stop(Exception):
    def __init__(self, says: str, mark: Mark) -> None:
        super().__init__(says)
        self.malformed = Malformed(says, mark, mark)


# A command reads the same text several times: to check it, to find a value's place, to compare it. Parsing is the slowest part of that.
@lru_cache(maxsize=64)
def parse(text: str) -> Tree | Malformed:
    """Parse a YAML 1.2 text into a tree, or return the first place that can't be read. JSON is YAML too."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        root = YAML(typ="safe", pure=True).compose(text)
        return Mapping((), Mark(1, 1)) if root is None else _build_tree(root, depth=0)
    except _Stop as stop:
        return stop.malformed
    except MarkedYAMLError as error:
        return _malformed(error)
    except YAMLError as error:
        # A character that YAML does not allow: its position is all that is known.
        before = text[: getattr(error, "position", 0)]
        mark = Mark(before.count("\n") + 1, len(before) - before.rfind("\n"))
        return Malformed("special characters are not allowed", mark, mark)
    except RecursionError:
        return Malformed("nested too deeply", Mark(1, 1), Mark(1, 1))


def _malformed(error: MarkedYAMLError) -> Malformed:
    at = error.problem_mark or error.context_mark
    return Malformed(f"{error.problem or ''} ({error.context or ''})", _convert_point(at), _convert_point(error.context_mark or at))


def _convert_point(mark: object) -> Mark:
    return Mark(getattr(mark, "line", 0) + 1, getattr(mark, "column", 0) + 1)


def _convert_mark(node: Node) -> Mark:
    start, end = node.start_mark, node.end_mark
    width = end.column - start.column if start.line == end.line else 1
    return Mark(start.line + 1, start.column + 1, max(1, width))


def _build_tree(node: Node, depth: int) -> Tree:
    from ruamel.yaml.nodes import MappingNode, SequenceNode

    mark = _convert_mark(node)
    if depth > DEEPEST:
        raise _Stop("nested too deeply", mark)
    if node.anchor:
        # Nested aliases can exhaust the memory, and so small a configuration needs none.
        raise _Stop("anchor", mark)
    if str(node.tag) not in _ORDINARY:
        raise _Stop("tag", mark)
    if isinstance(node, MappingNode):
        return Mapping(tuple(_build_entry(key, value, depth) for key, value in node.value), mark)
    if isinstance(node, SequenceNode):
        return Sequence(tuple(_build_tree(item, depth + 1) for item in node.value), mark)
    unquoted = getattr(node, "style", None) is None
    return Scalar("" if unquoted and node.tag == _NULL else _join_surrogates(str(node.value)), mark)


def _build_entry(key: Node, value: Node, depth: int) -> Entry:
    name = _build_tree(key, depth + 1)
    if not isinstance(name, Scalar):
        raise _Stop("a key that is no text", _convert_mark(key))
    return Entry(name.text, _build_tree(value, depth + 1), name.mark)


def _join_surrogates(text: str) -> str:
    """Join surrogate pairs: JSON writes some characters as two escapes, which YAML reads one by one."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@dataclass(frozen=True)
class Span:
    """Characters from `start` (counted from 0) up to `end`, which is not included."""

    start: int
    end: int


@dataclass(frozen=True)
class Piece:
    """A value with its key, if it has one. `flow` is true for brackets, braces and what is inside them."""

    path: FieldPath
    key: Span | None
    value: Span
    kind: Literal["scalar", "sequence", "mapping"]
    flow: bool
    quote: str = ""


@lru_cache(maxsize=64)
def find_pieces(text: str) -> tuple[Piece, ...]:
    """Find every value of a text that `parse` accepts, in the order of the text; the root, if any, comes first."""
    from ruamel.yaml import YAML

    root = YAML(typ="safe", pure=True).compose(text)
    return () if root is None else tuple(_walk_pieces(root, (), None, text, flow=False))


def _walk_pieces(node: Node, path: FieldPath, key: Span | None, text: str, *, flow: bool) -> Iterator[Piece]:
    from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

    if isinstance(node, ScalarNode):
        span = _find_scalar_span(node, text)
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
            below.extend(_walk_pieces(value, (*path, str(name.value)), _find_scalar_span(name, text), text, flow=flow))
    else:
        for index, item in enumerate(node.value):
            below.extend(_walk_pieces(item, (*path, index), None, text, flow=flow))
    start, end = node.start_mark.index, node.end_mark.index
    # For the parser a block ends where the next node begins; here it ends with its own last value.
    own = end if flow else max((piece.value.end for piece in below), default=start)
    yield Piece(path, key, Span(start, own), "mapping" if isinstance(node, MappingNode) else "sequence", flow)
    yield from below


def _find_scalar_span(node: Node, text: str) -> Span:
    start, end = node.start_mark.index, node.end_mark.index
    return Span(start, start + len(text[start:end].rstrip()))

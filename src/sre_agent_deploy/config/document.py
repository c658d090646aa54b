"""A YAML or JSON text as a tree in which every key and value has its line and column.

Scalars stay text: the field decides what they mean, not YAML's guess. So an account ID without quotes keeps its leading
zero, and `no` is only a boolean where a boolean is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sre_agent_deploy.config.fault import Fault, FieldPath, Mark, format_path
from sre_core.redaction import redact_line


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

"""A YAML or JSON text as a tree in which every key and value still knows its place.

Scalars stay text: the field decides what they mean, not YAML's guess. So an account ID without quotes keeps its leading
zero, and `no` is only a boolean where a boolean is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sre_agent_deploy.config.fault import FieldPath


@dataclass(frozen=True)
class Mark:
    """A place in the text; line and column count from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Scalar:
    """A text, or None where nothing was written (`key:`, `~`, `null`)."""

    text: str | None
    mark: Mark
    plain: bool = True


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


def plain(tree: Tree) -> Plain | None:
    """The tree without its places; what was left empty is left out. The last of two equal keys wins."""
    match tree:
        case Scalar(text=text):
            return text
        case Sequence(items=items):
            return [value for value in map(plain, items) if value is not None]
        case Mapping(entries=entries):
            return {entry.key: value for entry in entries if (value := plain(entry.value)) is not None}


def scalars(tree: Tree, path: FieldPath = ()) -> Iterator[tuple[FieldPath, Scalar]]:
    """Every scalar with the path to it, in the order of the text."""
    match tree:
        case Scalar():
            yield path, tree
        case Sequence(items=items):
            for index, item in enumerate(items):
                yield from scalars(item, (*path, index))
        case Mapping(entries=entries):
            for entry in entries:
                yield from scalars(entry.value, (*path, entry.key))


def mark_of(tree: Tree, path: FieldPath, *, key: bool = False) -> Mark:
    """Where the value at `path` stands (or its key); where it is absent, the nearest thing above it that is there."""
    mark = tree.mark
    for depth, step in enumerate(path):
        found = _child(tree, step)
        if found is None:
            return mark
        key_mark, tree = found
        last = depth == len(path) - 1
        empty = isinstance(tree, Scalar) and tree.text is None
        mark = key_mark if not last or key or empty else tree.mark
    return mark


def _child(tree: Tree, step: str | int) -> tuple[Mark, Tree] | None:
    if isinstance(tree, Sequence) and isinstance(step, int) and step < len(tree.items):
        return tree.items[step].mark, tree.items[step]
    if isinstance(tree, Mapping):
        for entry in reversed(tree.entries):
            if entry.key == step:
                return entry.mark, entry.value
    return None

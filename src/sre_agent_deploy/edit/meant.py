"""What a text should say after one value was put into it (pure)."""

from __future__ import annotations

from sre_agent_deploy.config.document import Plain, Scalar, Sequence, Tree, plain
from sre_agent_deploy.config.parse import Malformed, parse

_EMPTY: tuple[object, ...] = (None, "", [], {})


def readable(text: str) -> str:
    """The text as the parser takes it, every character at its place: JSON may be indented with tabs, YAML may not."""
    return text.replace("\t", " ") if text.lstrip().startswith("{") else text


def meaning(text: str) -> Plain | Malformed | None:
    """The values of a text; what is empty counts as absent, as the loader sees it."""
    tree = parse(readable(text))
    return tree if isinstance(tree, Malformed) else _of(tree)


def _of(tree: Tree) -> Plain | None:
    match tree:
        case Scalar() | Sequence():
            return plain(tree)
        case _:
            pairs = ((entry.key, _of(entry.value)) for entry in tree.entries)
            return {name: value for name, value in pairs if value is not None and value not in _EMPTY}


def changed(data: Plain | None, path: tuple[str, ...], value: Plain) -> Plain:
    """The values with another one at `path`."""
    step, *deeper = path
    result = dict(data) if isinstance(data, dict) else {}
    new = changed(result.get(step), tuple(deeper), value) if deeper else _without_empty(value)
    result.pop(step, None)
    return result if new in _EMPTY else {**result, step: new}


def _without_empty(value: Plain) -> Plain:
    match value:
        case list(items):
            return [_without_empty(item) for item in items if item != ""]
        case dict(entries):
            return {name: _without_empty(item) for name, item in entries.items() if item not in _EMPTY}
        case _:
            return value

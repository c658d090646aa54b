"""`SRE_AGENT__SECTION__FIELD` in the environment wins over the file."""

from __future__ import annotations

from collections.abc import Mapping as Environ
from dataclasses import replace

from sre_agent_deploy.config.document import Entry, Mapping, Scalar, Sequence, Tree
from sre_agent_deploy.config.fault import Mark
from sre_agent_deploy.config.parse import Malformed, parse

PREFIX = "SRE_AGENT__"
NOWHERE = Mark(1, 1)


def overridden(tree: Mapping, environ: Environ[str, str]) -> Mapping:
    """The tree with every override in its place; each knows the variable it came from."""
    for name in sorted(environ):
        if name.startswith(PREFIX):
            section, *rest = name.removeprefix(PREFIX).split("__")
            # Tags are the user's own words: they keep their case.
            steps = [section.lower(), *(rest if section.upper() == "TAGS" else map(str.lower, rest))]
            tree = _put(tree, steps, _value(environ[name], name), Scalar("", NOWHERE, origin=name))
    return tree


def _value(text: str, name: str) -> Tree:
    """Lists and mappings are written as in YAML; everything else is text as it stands."""
    parsed = parse(text) if text.lstrip().startswith(("[", "{")) else None
    if parsed is None or isinstance(parsed, Malformed):
        return Scalar(text, NOWHERE, origin=name)
    return _from(parsed, name)


def _from(tree: Tree, name: str) -> Tree:
    match tree:
        case Scalar(text=text):
            return Scalar(text, NOWHERE, origin=name)
        case Sequence(items=items):
            return Sequence(tuple(_from(item, name) for item in items), NOWHERE)
        case Mapping(entries=entries):
            return Mapping(tuple(Entry(entry.key, _from(entry.value, name), NOWHERE) for entry in entries), NOWHERE)


def _put(tree: Mapping, steps: list[str], value: Tree, origin: Scalar) -> Mapping:
    step, *deeper = steps
    held = next((entry for entry in reversed(tree.entries) if entry.key == step), Entry(step, Mapping((), NOWHERE), NOWHERE))
    below = held.value if isinstance(held.value, Mapping) else Mapping((), NOWHERE)
    new = replace(held, value=_put(below, deeper, value, origin) if deeper else value)
    return replace(tree, entries=(*(entry for entry in tree.entries if entry is not held), new))

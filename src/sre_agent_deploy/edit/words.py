"""A key and a value as people type them (pure)."""

from __future__ import annotations

from sre_agent_deploy.config.document import Plain, plain
from sre_agent_deploy.config.parse import Malformed, parse


def path_of(key: str) -> tuple[str, ...]:
    """`deployment.instance_type` as a path; a tag's own key keeps its dots."""
    section, dot, rest = key.partition(".")
    if section == "tags" and dot:
        return (section, rest)
    return tuple(key.split("."))


def value_of(text: str) -> Plain:
    """Lists and mappings are written as in YAML; everything else is text as it stands."""
    tree = parse(text) if text.lstrip().startswith(("[", "{")) else None
    value = None if tree is None or isinstance(tree, Malformed) else plain(tree)
    return text if value is None else value

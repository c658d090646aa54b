"""Faults of the document itself: keys that stand twice, and secrets that stand in it at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sre_agent_deploy.config.credentials import plain_secret
from sre_agent_deploy.config.document import Mapping, Scalar, Tree, walk
from sre_agent_deploy.config.fault import Fault, FieldPath, Mark, dotted
from sre_agent_deploy.config.redaction import CERTAIN, is_secret_key, redacted
from sre_agent_deploy.config.secret_reference import SecretReference


def duplicates(tree: Tree) -> Iterator[Fault]:
    """A fault at each key that stands a second time in its section."""
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
        what=f"{dotted((*path[:-1], redacted(str(path[-1]))))} stands twice.",
        why=f"It is already in line {first.line}; of two values only one would count.",
        do=("Remove one of them.",),
        mark=mark,
    )


def plain_secrets(tree: Tree) -> Iterator[Fault]:
    """A fault at each secret that stands in the document itself, whatever field it stands in."""
    for path, node in walk(tree):
        if not path or not isinstance(node, Scalar) or path == ("credentials", "client_secret"):
            continue
        named = is_secret_key(str(path[-1])) and node.text and not SecretReference.parse(node.text)
        if named or CERTAIN.search(node.text):
            field = str(path[-1]) if isinstance(path[-1], str) else str(path[0])
            fault = replace(plain_secret(redacted(field)), path=(path[-1],), correction=None)
            yield fault.under(*map(str, path[:-1]))

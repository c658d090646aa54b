"""Faults of the document itself: keys that stand twice, and secrets that stand in it at all."""

from __future__ import annotations

from collections.abc import Iterator

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
        what=f"{dotted((*path[:-1], redacted(str(path[-1]))))} is written twice.",
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
            yield _secret(path)


def _secret(path: FieldPath) -> Fault:
    return Fault(
        code="CONFIG-SECRET-IN-FILE",
        path=path,
        what=f"{redacted(dotted(path))} holds a secret.",
        why="Configuration files are shared, committed and backed up; a secret in them is a leaked secret.",
        do=(
            "Remove it from this file. Keep it in AWS Secrets Manager, or in the environment of the program that needs it.",
            "The only field for a secret is credentials.client_secret, and it takes a reference: env:NAME",
            "If this file was ever shared or committed, replace the secret.",
        ),
        aws_docs="https://docs.aws.amazon.com/secretsmanager/latest/userguide/create_secret.html",
    )

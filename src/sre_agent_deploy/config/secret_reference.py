"""References to secrets, and the faults of secrets that are written into the configuration itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

from sre_agent_deploy.config.document import Scalar, Tree, walk
from sre_agent_deploy.config.fault import Fault, FieldPath, format_path
from sre_core.redaction import CERTAIN_SECRET, is_secret_name, redact_line

type SecretStore = Literal["aws-secretsmanager", "env", "file"]

_REFERENCE = re.compile(r"(aws-secretsmanager|file):(\S.*)|env:([A-Za-z_][A-Za-z0-9_]*)")
_EXPANSION = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True)
class SecretReference:
    """`aws-secretsmanager:NAME-OR-ARN`, `env:NAME` or `file:/path`."""

    store: SecretStore
    name: str

    @classmethod
    def parse(cls, text: str) -> SecretReference | None:
        """Parse a reference; None means that `text` may be the secret itself."""
        if expansion := _EXPANSION.fullmatch(text):
            # ${NAME} is how people write it; the value must not come into the configuration, so it means env:NAME.
            return cls("env", expansion[1])
        match = _REFERENCE.fullmatch(text)
        if not match:
            return None
        return cls("env", match[3]) if match[3] else cls(cast("SecretStore", match[1]), match[2])

    def __str__(self) -> str:
        return f"{self.store}:{self.name}"


def plain_secret(field: str) -> Fault:
    """Build the fault of a secret that is written into the file, with the ways to move it."""
    name = field.upper()
    return Fault(
        code="CONFIG-SECRET-IN-FILE",
        path=(field,),
        what=f"{field} holds a secret, or a text that is no reference to one.",
        why="Configuration files are shared, committed and backed up; a secret in them is a leaked secret.",
        do=(
            f"Keep it in AWS Secrets Manager (aws secretsmanager create-secret --name sre/{field.replace('_', '-')} --secret-string file:///dev/stdin)"
            f" and write {field}: aws-secretsmanager:sre/{field.replace('_', '-')}",
            f"Or in an environment variable, and write {field}: env:{name}",
            f"Or in a file that only you can read, and write {field}: file:/path/of/it",
            "If this file was ever shared or committed, replace the secret.",
        ),
        correction=f"env:{name}",
        aws_docs="https://docs.aws.amazon.com/secretsmanager/latest/userguide/create_secret.html",
    )


def secret_faults(tree: Tree) -> Iterator[Fault]:
    """Yield a fault for each secret that is written into the document, in whatever field."""
    for path, node in walk(tree):
        if not path or not isinstance(node, Scalar) or path == ("credentials", "client_secret"):
            continue
        named = is_secret_name(str(path[-1])) and node.text and not SecretReference.parse(node.text)
        if named or CERTAIN_SECRET.search(node.text):
            yield _secret(path)


def _secret(path: FieldPath) -> Fault:
    return Fault(
        code="CONFIG-SECRET-IN-FILE",
        path=path,
        what=f"{redact_line(format_path(path))} holds a secret.",
        why="Configuration files are shared, committed and backed up; a secret in them is a leaked secret.",
        do=(
            "Remove it from this file. Keep it in AWS Secrets Manager, or in the environment of the program that needs it.",
            "Fields for secrets (credentials.client_secret; assistant.api_key; token, password and kubeconfig of a source) "
            "take a reference: env:NAME",
            "If this file was ever shared or committed, replace the secret.",
        ),
        aws_docs="https://docs.aws.amazon.com/secretsmanager/latest/userguide/create_secret.html",
    )

"""Where a secret is kept. The configuration holds this, never the secret."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

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
        """The reference that `text` is, or None: then it may be the secret itself."""
        if expansion := _EXPANSION.fullmatch(text):
            # ${NAME} is how people write it; the value must not come into the configuration, so it means env:NAME.
            return cls("env", expansion[1])
        match = _REFERENCE.fullmatch(text)
        if not match:
            return None
        return cls("env", match[3]) if match[3] else cls(cast("SecretStore", match[1]), match[2])

    def __str__(self) -> str:
        return f"{self.store}:{self.name}"

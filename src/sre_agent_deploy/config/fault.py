"""One thing wrong with one field, said before anyone knows where in a file it stands."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

type Mode = Literal["local", "production"]
type FieldPath = tuple[str | int, ...]


@dataclass(frozen=True)
class Mark:
    """A stretch of a text; line and column count from 1."""

    line: int
    column: int
    width: int = 1


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A broken rule. `what` names the field and never repeats its value: a value may be a secret put in the wrong place."""

    code: str
    path: FieldPath
    what: str
    why: str
    do: tuple[str, ...]
    correction: str | None = None  # written instead of the value (or the key), it makes this fault go away
    warning: bool = False
    at_key: bool = False
    mark: Mark | None = None  # where it stands, when that is not simply the place of `path`
    aws_docs: str | None = None

    def under(self, *parents: str) -> Fault:
        """The same fault, with its path counted from further up."""
        named = self.what.replace(dotted(self.path), dotted((*parents, *self.path)), 1)
        return replace(self, path=(*parents, *self.path), what=named)


def dotted(path: FieldPath) -> str:
    """`deployment.ssh_cidrs[0]`, as people write a field."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text

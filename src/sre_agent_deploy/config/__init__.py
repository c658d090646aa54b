"""Load config.yaml into models in AWS's terms, or report every fault in it: a broken rule of one field, before its position is known.

START HERE: load.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pydantic import BaseModel

type Mode = Literal["local", "production"]
type FieldPath = tuple[str | int, ...]


@dataclass(frozen=True)
class Mark:
    """A range of characters in one line; line and column count from 1."""

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
    mark: Mark | None = None  # its position, if that is not the position of `path`
    aws_docs: str | None = None
    example: str | None = None  # shown under its section, in place of the first step

    def under(self, *parents: str | int) -> Fault:
        """Return the same fault with a path that begins further up."""
        named = self.what.replace(format_path(self.path), format_path((*parents, *self.path)), 1)
        path = (*parents, *self.path)
        # In a list, the excerpt shows the item that lacks it.
        in_list = any(isinstance(step, int) for step in path)
        do = self.do if in_list or self.example is None else (_show_in_sections(path, self.example), *self.do[1:])
        return replace(self, path=path, what=named, do=do)


def format_path(path: FieldPath) -> str:
    """Format the path of a field as people write it: `deployment.ssh_cidrs[0]`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _show_in_sections(path: FieldPath, example: str) -> str:
    """Show a field as the lines that belong into the file."""
    lines = [f"{'  ' * depth}{step}:" for depth, step in enumerate(path)]
    return "\n".join(["Add it, like this:", *(f"  {line}" for line in lines[:-1]), f"  {lines[-1]} {example}"])


def required(field: str, example: str, why: str) -> Fault:
    """Build the fault of a field that must not be empty."""
    return Fault(
        code="CONFIG-REQUIRED",
        path=(field,),
        what=f"{field} is required and empty.",
        why=why,
        do=(f"Add it, like this: {field}: {example}",),
        at_key=True,
        example=example,
    )


def unavailable(field: str, why: str, instead: str) -> Fault:
    """Build the fault of a value that the format has and this version can't do yet."""
    return Fault(
        code="CONFIG-NOT-YET",
        path=(field,),
        what=f"{field} has a value that this version does not support yet.",
        why=why,
        do=(f"Use {instead}.",),
        correction=instead,
    )


def ignored(section: BaseModel, fields: tuple[str, ...], because: str) -> Iterator[Fault]:
    """Yield a warning for each of the fields that has another value than its default: the resource that they describe is the user's."""
    for field in fields:
        if getattr(section, field) != type(section).model_fields[field].default:
            yield Fault(
                code="CONFIG-NO-EFFECT",
                path=(field,),
                what=f"{field} has no effect.",
                why=f"{because} of your own, and its settings are not changed.",
                do=("Set it there in the AWS Console.", f"Or remove {field} here."),
                warning=True,
            )

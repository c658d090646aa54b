"""A failure as a value that helps: what happened, why, and what to do first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Where:
    """A place in a file; line and column count from 1."""

    file: str
    line: int | None = None
    column: int | None = None
    excerpt: str = ""

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A failure with its next step. Advice is required, so it can't be forgotten.

    `code` is readable and stable (`S3-NAME-TAKEN`); `do` lists what to do next, first thing first.
    `context` holds facts for the reader and never a secret.
    """

    code: str
    what: str
    why: str
    do: tuple[str, ...]
    context: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    where: Where | None = None
    request_id: str | None = None
    aws_docs: str | None = None

    def __post_init__(self) -> None:
        if not self.do:
            raise ValueError(f"{self.code} has no next step")

    def with_context(self, **facts: str) -> Problem:
        """Add facts for the reader."""
        return replace(self, context={**self.context, **facts})

    def to_json(self) -> dict[str, object]:
        """Return the form that `--json`, reports and other programs read; empty parts are left out."""
        parts: dict[str, object] = {"code": self.code, "what": self.what, "why": self.why, "do": list(self.do)}
        if self.context:
            parts["context"] = dict(self.context)
        if self.where:
            parts["where"] = str(self.where)
        if self.request_id:
            parts["request_id"] = self.request_id
        if self.aws_docs:
            parts["aws_docs"] = self.aws_docs
        return parts

    def __str__(self) -> str:
        """Render the problem as text, the same for terminals, test logs and reports."""
        lines = [f"{self.code}: {self.what}"]
        if self.where:
            lines.append(f"  at {self.where}")
            lines.extend(f"    {line}" for line in self.where.excerpt.splitlines())
        lines.append(f"  why: {self.why}")
        for number, line in enumerate(line for step in self.do for line in step.splitlines()):
            lines.append(f"       {line}" if number else f"  do:  {line}")
        # A correction is for programs: to people the steps usually say the same.
        lines.extend(f"  {key}: {value}" for key, value in self.context.items() if key != "correction" or not self._advises(value))
        if self.request_id:
            lines.append(f"  AWS request id: {self.request_id}")
        if self.aws_docs:
            lines.append(f"  see: {self.aws_docs}")
        return "\n".join(lines)

    def _advises(self, value: str) -> bool:
        return any(value in step for step in self.do)


class Refused(Exception):
    """Carries Problems through code that can't return them; the command line shows them, never a traceback."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n\n".join(map(str, problems)))
        self.problems = problems

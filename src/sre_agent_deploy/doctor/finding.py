"""What the doctor says of one thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sre_core.problem import Problem

type Status = Literal["ok", "note", "unset", "missing", "wrong"]
type Kind = Literal["python", "library", "program", "variable", "credentials", "file"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One program, variable or file: what it is for, what was found, and the way to get it right.

    `found` never holds a secret. `unset` is what may be absent; only `missing` and `wrong` stand in the way.
    """

    kind: Kind
    name: str
    purpose: str
    status: Status
    found: str = ""
    how: str = ""  # how to get what may be absent
    problem: Problem | None = None

    @property
    def stands_in_the_way(self) -> bool:
        return self.status in ("missing", "wrong")

    def to_json(self) -> dict[str, object]:
        parts: dict[str, object] = {"kind": self.kind, "name": self.name, "status": self.status, "purpose": self.purpose}
        if self.found:
            parts["found"] = self.found
        if self.how:
            parts["how"] = self.how
        if self.problem:
            parts["problem"] = self.problem.to_json()
        return parts

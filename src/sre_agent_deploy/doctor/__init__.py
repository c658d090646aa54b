"""Check that this machine has what the deployer needs: its findings, and the observations that they are made from.

START HERE: examine.py decides, observe.py observes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sre_agent_deploy.config import Mode
from sre_agent_deploy.config.environment import Reference
from sre_core.problem import Problem

type Status = Literal["ok", "note", "unset", "missing", "wrong"]
type Kind = Literal["python", "library", "program", "variable", "credentials", "file"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The finding about one program, variable or file: its purpose, what was found, and how to correct it.

    `found` never holds a secret. `unset` is what may be absent; only `missing` and `wrong` prevent a deployment.
    """

    kind: Kind
    name: str
    purpose: str
    status: Status
    found: str = ""
    how: str = ""  # how to provide what is optional
    problem: Problem | None = None

    @property
    def is_blocking(self) -> bool:
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


@dataclass(frozen=True)
class ConfigObservation:
    """The configuration file, as far as it can be read."""

    path: str
    exists: bool = False
    problems: tuple[Problem, ...] = ()
    references: tuple[Reference, ...] = ()
    account_id: str = ""


@dataclass(frozen=True)
class Identity:
    """The account of the credentials, a problem, or neither if AWS did not answer in time."""

    account_id: str = ""
    problem: Problem | None = None


@dataclass(frozen=True, kw_only=True)
class Observations:
    """The observations on this machine. `environ` may hold secrets; no message repeats a value of it without need."""

    mode: Mode
    python: tuple[int, int, int]
    system: str
    environ: Mapping[str, str]
    from_dotenv: frozenset[str] = frozenset()
    programs: Mapping[str, str] = field(default_factory=dict)  # name -> path
    aws_cli: str = ""  # what `aws --version` says
    libraries: Mapping[str, str] = field(default_factory=dict)  # name -> version; "" where it is not installed
    profiles: frozenset[str] = frozenset()
    unreadable: Mapping[str, str] = field(default_factory=dict)  # path that a variable names -> why it can't be used
    state_folder: str = ""
    state_folder_problem: Problem | None = None
    config: ConfigObservation = field(default_factory=lambda: ConfigObservation("config.yaml"))
    identity: Identity = field(default_factory=Identity)

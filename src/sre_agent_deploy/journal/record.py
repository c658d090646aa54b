"""The journal's document: one record per resource and generation, and one entry per run (pure)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, cast

from sre_agent_deploy.journal.migrations import SCHEMA
from sre_core import clock

type Phase = Literal["intended", "born", "configured", "ready", "dying", "gone"]


@dataclass(frozen=True)
class Record:
    """What is known of one resource. `token` is the client token of its birth; `outputs` never holds a secret."""

    name: str
    kind: str
    generation: int
    token: str
    phase: Phase
    intended_at: str
    id: str = ""
    outputs: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    named: bool = False
    """The user named it in the configuration: it is used, never changed or deleted."""

    @property
    def key(self) -> str:
        return f"{self.name}-{self.generation}"


@dataclass(frozen=True)
class Run:
    """Who did what, when, and how it ended."""

    command: str
    who: str
    host: str
    started: str
    ended: str = ""
    result: str = ""


@dataclass(frozen=True)
class State:
    """Everything one deployment remembers. `aws` says in which AWS it was made: endpoint and start id, both empty for Amazon's own."""

    deployment: str
    account: str
    region: str
    mode: str
    config_file: str
    aws: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    records: Mapping[str, Record] = field(default_factory=lambda: MappingProxyType({}))
    runs: tuple[Run, ...] = ()
    verified_at: str = ""
    schema: int = SCHEMA

    def alive(self) -> tuple[Record, ...]:
        """The records of what exists or may exist, oldest first."""
        return tuple(record for record in self.records.values() if record.phase != "gone")

    def generations(self, name: str) -> tuple[Record, ...]:
        """The living generations of a resource, newest first."""
        return tuple(sorted((record for record in self.alive() if record.name == name), key=lambda record: -record.generation))

    def current(self, name: str) -> Record | None:
        """The newest living generation of a resource."""
        return next(iter(self.generations(name)), None)

    def with_record(self, record: Record) -> State:
        return dataclasses.replace(self, records={**self.records, record.key: record})

    def to_json(self) -> dict[str, Any]:
        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in {"records", "runs"}}
        plain["aws"] = dict(self.aws)
        plain["records"] = {key: _record_json(record) for key, record in self.records.items()}
        plain["runs"] = [dataclasses.asdict(run) for run in self.runs]
        return plain

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> State:
        """The state a document holds. Raises KeyError, TypeError or ValueError where it is not one."""
        records = {key: _record(value) for key, value in document["records"].items()}
        runs = tuple(Run(**run) for run in document["runs"])
        plain = {key: value for key, value in document.items() if key not in {"records", "runs"}}
        return cls(**plain, records=records, runs=runs)


def _record_json(record: Record) -> dict[str, Any]:
    return {f.name: getattr(record, f.name) for f in dataclasses.fields(record) if f.name != "outputs"} | {"outputs": dict(record.outputs)}


def _record(value: Mapping[str, Any]) -> Record:
    if value["phase"] not in ("intended", "born", "configured", "ready", "dying", "gone"):
        raise ValueError(f"unknown phase {value['phase']}")
    clock.parse(value["intended_at"])
    if not all(isinstance(value[field], str) for field in ("name", "kind", "id")) or not isinstance(value["generation"], int):
        raise TypeError("a record's name, kind and id are text, and its generation is a number")
    return Record(**{**value, "phase": cast("Phase", value["phase"])})

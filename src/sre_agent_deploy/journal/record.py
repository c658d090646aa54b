"""The journal's document: one record per resource and generation, and one entry per run (pure)."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from sre_agent_deploy.journal.migrations import SCHEMA
from sre_core import clock

type Phase = Literal["intended", "born", "configured", "ready", "dying", "gone"]
type Result = Literal["applied", "not verified", "failed", "interrupted", "cleaned up", "rolled back", "rollback failed"]

# How runs end that left all of it there: verification comes after, and what fails it is as complete.
COMPLETE: tuple[Result, ...] = ("applied", "not verified")

# It becomes the name of files, whoever wrote it.
_NAME = re.compile(r"[a-z0-9-]+")
# How a document is read: what is not known is not passed over.
_READ: Mapping[str, Any] = {"extra": "forbid"}


@dataclass(frozen=True)
class Record:
    """What is known of one resource. `token` is the client token of its birth, empty where that is not on record; `outputs` never
    holds a secret.
    """

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

    __pydantic_config__: ClassVar[Any] = _READ

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

    __pydantic_config__: ClassVar[Any] = _READ


@dataclass(frozen=True)
class State:
    """Everything one deployment remembers. `aws` says in which AWS it was made: endpoint and start id, both empty for Amazon's own."""

    deployment: str
    account: str
    region: str
    mode: Literal["production", "local"]
    config_file: str
    aws: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    records: Mapping[str, Record] = field(default_factory=lambda: MappingProxyType({}))
    runs: tuple[Run, ...] = ()
    verified_at: str = ""
    schema: int = SCHEMA

    __pydantic_config__: ClassVar[Any] = _READ

    def alive(self) -> tuple[Record, ...]:
        """The records of what exists or may exist, oldest first."""
        return tuple(record for record in self.records.values() if record.phase != "gone")

    def generations(self, name: str) -> tuple[Record, ...]:
        """The living generations of a resource, newest first."""
        return tuple(sorted((record for record in self.alive() if record.name == name), key=lambda record: -record.generation))

    def current(self, name: str) -> Record | None:
        """The newest living generation of a resource."""
        return next(iter(self.generations(name)), None)

    @property
    def served(self) -> bool:
        """Whether all of it has been there since it was last cleaned up; of what is older than the history, whether it was verified."""
        ends = (run.result for run in reversed(self.runs))
        decisive = next((end for end in ends if end in (*COMPLETE, "cleaned up")), "")
        return decisive in COMPLETE or (not decisive and bool(self.verified_at))

    @property
    def proven_at(self) -> str:
        """When it was verified, if no run has begun or ended since; empty where what was verified may be another thing by now."""
        last = self.runs[-1] if self.runs else None
        return self.verified_at if last is None or self.verified_at >= (last.ended or last.started) else ""

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
        """The state a document holds. Raises ValueError, saying where, unless it is one to the last value: people edit files."""
        from pydantic import TypeAdapter, ValidationError

        try:
            state = TypeAdapter(cls).validate_json(json.dumps(document), strict=True)
        except ValidationError as error:
            # Where and what is wrong, and not the value: whatever file was named, its content is in no message.
            first = error.errors(include_input=False, include_url=False)[0]
            raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        if not _NAME.fullmatch(state.deployment):
            raise ValueError("its deployment has no deployment's name")
        for key, record in state.records.items():
            if key != record.key or not _is_time(record.intended_at):
                raise ValueError(f"records.{key}: its key, or the time when it was intended, is not what this tool writes")
        return state


def _is_time(text: str) -> bool:
    try:
        clock.parse(text)
    except ValueError:
        return False
    return True


def _record_json(record: Record) -> dict[str, Any]:
    return {f.name: getattr(record, f.name) for f in dataclasses.fields(record) if f.name != "outputs"} | {"outputs": dict(record.outputs)}

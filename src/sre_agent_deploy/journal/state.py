"""The state of one deployment: a record per resource and generation, an entry per run, and the document that keeps both (pure).

To change the format: append a step to STEPS, and put a state of the format before into tests/sre_agent_deploy/journal/formats/.

The document begins with a checksum over its exact bytes, so that a flipped bit or a lost end is noticed. Counted are its bytes with
zeros in place of the checksum.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from sre_core import clock
from sre_core.problem import Problem

if TYPE_CHECKING:
    from pydantic import TypeAdapter

type Phase = Literal["intended", "born", "configured", "ready", "dying", "gone"]
"""How far a resource is. The words are those of the state file: `born` is created, `dying` is being deleted."""
type Result = Literal[
    "applied",
    "applied in part",
    "not verified",
    "failed",
    "interrupted",
    "cleaned up",
    "rolled back",
    "rollback failed",
    "rotated",
    "restored",
]
type Step = Callable[[dict[str, Any]], dict[str, Any]]


def _number_states(document: dict[str, Any]) -> dict[str, Any]:
    """Add what format 2 has: a lineage and a serial. Its checksum is that of the bytes, and is added when they are written."""
    return {**document, "lineage": "", "serial": 0}


# STEPS[n - 1] turns a document of format n into one of format n + 1.
STEPS: tuple[Step, ...] = (_number_states,)
SCHEMA = 1 + len(STEPS)

# The results of runs after which every resource exists: verification comes later, and may fail.
COMPLETE: tuple[Result, ...] = ("applied", "not verified")

# The deployment's id becomes the name of files, and a state file can be edited.
_ID = re.compile(r"[a-z0-9-]+")
# A document with an unknown field is refused, not read without it.
_READ: Mapping[str, Any] = {"extra": "forbid"}


@dataclass(frozen=True)
class Record:
    """One resource of a deployment, as far as it is known.

    `token` is the client token of its creation, empty where none is recorded. `outputs` never contains a secret.
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
    """The configuration names it: it is used, never changed or deleted."""

    __pydantic_config__: ClassVar[Any] = _READ

    @property
    def key(self) -> str:
        return f"{self.name}-{self.generation}"


@dataclass(frozen=True)
class Run:
    """One run of a command that changes the deployment: its user, host, times and result."""

    command: str
    who: str
    host: str
    started: str
    ended: str = ""
    result: str = ""

    __pydantic_config__: ClassVar[Any] = _READ


@dataclass(frozen=True)
class State:
    """Everything recorded about one deployment. `aws` names the local AWS (endpoint, start id); it is empty for Amazon's."""

    deployment: str
    account: str
    region: str
    mode: Literal["production", "local"]
    config_file: str
    aws: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    records: Mapping[str, Record] = field(default_factory=lambda: MappingProxyType({}))
    runs: tuple[Run, ...] = ()
    verified_at: str = ""
    lineage: str = ""
    """The same for every state that goes back to one beginning; empty for one that an earlier version began."""
    serial: int = 0
    """How often this state was saved: of two of one lineage, the higher is newer."""
    schema: int = SCHEMA

    __pydantic_config__: ClassVar[Any] = _READ

    def alive(self) -> tuple[Record, ...]:
        """Return the records of what exists or may exist, oldest first."""
        return tuple(record for record in self.records.values() if record.phase != "gone")

    def generations(self, name: str) -> tuple[Record, ...]:
        """Return the generations of a resource that exist or may exist, newest first."""
        return tuple(sorted((record for record in self.alive() if record.name == name), key=lambda record: -record.generation))

    def current(self, name: str) -> Record | None:
        """Return the newest generation of a resource that exists or may exist."""
        return next(iter(self.generations(name)), None)

    @property
    def was_complete(self) -> bool:
        """Return True if every resource existed at some time since the last cleanup.

        A deployment whose deciding run is no longer in the history counts as complete if it was ever verified.
        """
        results = (run.result for run in reversed(self.runs))
        deciding = next((result for result in results if result in (*COMPLETE, "cleaned up")), "")
        return deciding in COMPLETE or (not deciding and bool(self.verified_at))

    @property
    def valid_verified_at(self) -> str:
        """The time of the last verification, empty if a run has begun or ended since: it may have changed what was verified."""
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
        """Build the state from a document. Raises ValueError with the faulty field: users edit state files."""
        from pydantic import ValidationError

        try:
            state = _adapter().validate_json(json.dumps(document), strict=True)
        except ValidationError as error:
            # Only the field and its fault: --state-file may name any file, and no message may show its content.
            first = error.errors(include_input=False, include_url=False)[0]
            raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        if not _ID.fullmatch(state.deployment):
            raise ValueError("deployment: this is not a deployment's id")
        for key, record in state.records.items():
            if key != record.key or not _is_time(record.intended_at):
                raise ValueError(f"records.{key}: its key or its time (intended_at) was not written by sre-agent-deploy")
        return state


@cache
def _adapter() -> TypeAdapter[State]:
    from pydantic import TypeAdapter

    return TypeAdapter(State)


def render_state(state: State) -> bytes:
    """Render a state as the document that stores keep."""
    return seal(state.to_json())


def parse_state(document: bytes, location: str) -> State | Problem:
    """Parse a document of this or an earlier format, or say why it can't be used."""
    try:
        value = json.loads(document)
        if isinstance(value, dict) and isinstance(value.get("schema"), int) and value["schema"] > SCHEMA:
            return _too_new(location, value["schema"])
        if CHECKSUM in value and not is_intact(document, value.pop(CHECKSUM)):
            return _damaged(location, "its checksum is that of other content")
        return State.from_json(migrate(value))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return _damaged(location, f"{type(error).__name__}: {error}")


def read_sealed(document: bytes) -> State | None:
    """Build the state of a document whose checksum is right, without looking at each field; None for any other document.

    It is for what only shows a state, at once: to check the fields costs ten times as much.
    """
    try:
        value = json.loads(document)
        if value["schema"] != SCHEMA or not is_intact(document, value.pop(CHECKSUM)):
            return None
        value["records"] = {key: Record(**record) for key, record in value["records"].items()}
        value["runs"] = tuple(Run(**run) for run in value["runs"])
        return State(**value)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def migrate(document: dict[str, Any], steps: tuple[Step, ...] = STEPS) -> dict[str, Any]:
    """Convert a document to the newest format. Raises ValueError if its format never existed."""
    schema = document["schema"]
    if type(schema) is not int or not 1 <= schema <= 1 + len(steps):
        raise ValueError(f"there is no format {schema}")
    for number, step in enumerate(steps[schema - 1 :], start=schema + 1):
        document = {**step(document), "schema": number}
    return document


def _is_time(text: str) -> bool:
    try:
        clock.parse(text)
    except ValueError:
        return False
    return True


def _record_json(record: Record) -> dict[str, Any]:
    return {f.name: getattr(record, f.name) for f in dataclasses.fields(record) if f.name != "outputs"} | {"outputs": dict(record.outputs)}


def _too_new(location: str, schema: int) -> Problem:
    return Problem(
        code="STATE-TOO-NEW",
        what=f"The state file {location} has format {schema}; this version knows formats up to {SCHEMA}. Nothing was changed.",
        why="A newer version of sre-agent-deploy wrote it.",
        do=(
            "Upgrade in the checkout: `git pull`, then `pip install .`. Then run the same command again.",
            "Or run it where that newer version is installed.",
        ),
    )


def _damaged(location: str, fault: str) -> Problem:
    return Problem(
        code="STATE-DAMAGED",
        what=f"The state file {location} is not the state of a deployment. It was not changed.",
        why=f"It was truncated or edited, or it is another kind of file ({fault}).",
        do=(
            "If it is not the file that you meant, name the state: --state-file PATH.",
            f"Restore a good copy of it: `cp BACKUP {location}`.",
            f"If you edited it yourself, and that is what you want, delete its line with `{CHECKSUM}`.",
            f"Without a copy, move it away (`mv {location} {location}.damaged`) and run the same command again:"
            " existing resources are found by their tags and adopted.",
        ),
    )


CHECKSUM = "checksum"
_ZEROS = "0" * 64


def seal(document: Mapping[str, Any]) -> bytes:
    """Render a document with its checksum."""
    unsealed = json.dumps({CHECKSUM: _ZEROS, **document}, indent=1).encode()
    return unsealed.replace(_ZEROS.encode(), _sum(unsealed).encode(), 1)


def is_intact(document: bytes, recorded: object) -> bool:
    """Check if the bytes are those that the checksum in them was computed from."""
    return (
        isinstance(recorded, str)
        and len(recorded) == len(_ZEROS)
        and recorded == _sum(document.replace(recorded.encode(), _ZEROS.encode(), 1))
    )


def _sum(document: bytes) -> str:
    return hashlib.sha256(document).hexdigest()

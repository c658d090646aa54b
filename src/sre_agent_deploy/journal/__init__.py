"""The journal: records each step of a deployment before and after it happens, so that a run resumes from it. Many threads may use it."""

from __future__ import annotations

import dataclasses
import socket
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sre_agent_deploy.journal.lock import user_name
from sre_agent_deploy.journal.state import Phase, Record, Result, Run, State
from sre_core import clock
from sre_core.problem import Refused

if TYPE_CHECKING:
    # Who needs the state alone, such as `list`, does not load the stores.
    from sre_agent_deploy.journal.store import Store
    from sre_agent_deploy.later import Outputs


class Journal:
    """The state of one deployment, saved at every step. Every method raises Refused when saving fails.

    Steps that several threads record at the same time are saved in one write.
    """

    def __init__(self, store: Store, state: State) -> None:
        self._store = store
        self._state = self._next = state
        self._changed = self._saved = 0
        self._changing, self._writing = threading.Lock(), threading.Lock()

    @property
    def state(self) -> State:
        """The state as it was last saved."""
        return self._state

    def record_intent(self, name: str, kind: str, generation: int) -> Record:
        """Record that a creation is about to be sent. An earlier intent that may have succeeded keeps its token."""
        before = self._state.records.get(f"{name}-{generation}")
        token = before.token if before and before.phase == "intended" else f"{uuid.uuid4()}"
        return self._put(Record(name, kind, generation, token, phase="intended", intended_at=clock.stamp()))

    def record_phase(self, record: Record, phase: Phase, *, id: str | None = None, outputs: Outputs | None = None) -> Record:
        """Record that a resource has reached a phase. Secrets among the outputs are left out."""
        plain = record.outputs if outputs is None else without_secrets(outputs)
        return self._put(dataclasses.replace(record, phase=phase, id=record.id if id is None else id, outputs=plain))

    def adopt(self, name: str, kind: str, id: str, outputs: Outputs, *, generation: int = 1, named: bool = False) -> Record:
        """Record a resource that exists already: found by its tags, or named in the configuration."""
        return self._put(Record(name, kind, generation, "", "ready", clock.stamp(), id=id, outputs=without_secrets(outputs), named=named))

    def begin_run(self, command: str) -> None:
        """Open an entry in the history of runs; the last 50 are kept."""
        run = Run(command, user_name(), socket.gethostname(), clock.stamp())
        self._save(lambda state: dataclasses.replace(state, runs=(*state.runs[-49:], run)))

    @contextmanager
    def run(self, command: str) -> Iterator[None]:
        """Open an entry for what follows, and close it as failed if that is refused on the way."""
        self.begin_run(command)
        try:
            yield
        except Refused:
            self.end_run("failed")
            raise

    def end_run(self, result: Result) -> None:
        """Close the newest entry in the history of runs."""

        def close(state: State) -> State:
            last = dataclasses.replace(state.runs[-1], ended=clock.stamp(), result=result)
            return dataclasses.replace(state, runs=(*state.runs[:-1], last))

        self._save(close)

    def record_verification(self) -> None:
        """Record that every required check has passed now."""
        self._save(lambda state: dataclasses.replace(state, verified_at=clock.stamp()))

    def _put(self, record: Record) -> Record:
        self._save(lambda state: state.with_record(record))
        return record

    def _save(self, change: Callable[[State], State]) -> None:
        with self._changing:
            self._next = change(self._next)
            self._changed += 1
            mine = self._changed
        with self._writing:
            # The thread that wrote while this one waited has written this change too.
            if self._saved < mine:
                self._write()

    def _write(self) -> None:
        with self._changing:
            self._next = state = next_serial(self._next)
            changed = self._changed
        self._store.save(state)
        self._state, self._saved = state, changed


def next_serial(state: State) -> State:
    """Number a state that is about to be saved; its first save begins its lineage."""
    return dataclasses.replace(state, serial=state.serial + 1, lineage=state.lineage or f"{uuid.uuid4()}")


def without_secrets(outputs: Outputs) -> Mapping[str, str]:
    """Select the outputs that may be recorded."""
    return {key: value for key, value in outputs.items() if isinstance(value, str)}

"""What a place that keeps the state must do, whatever it is."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from sre_agent_deploy.journal.lock import Owner
from sre_agent_deploy.journal.record import State
from sre_core.problem import Problem


class Store(Protocol):
    """Keeps one State, whole or not at all, for one writer at a time."""

    @property
    def location(self) -> str:
        """Where it is, as a user would write it."""
        ...

    def load(self) -> State | Problem | None:
        """The state, None where there is none yet, or why it can't be used; what is there is never changed."""
        ...

    def save(self, state: State) -> None:
        """Keep it, durably. Raises Refused where that fails; what was kept before is then as it was."""
        ...

    def lock(self, command: str) -> AbstractContextManager[None]:
        """Be the one writer, or raise Refused saying who is."""
        ...

    def lock_owner(self) -> Owner | None:
        """Who is the writer at the moment."""
        ...

    def unlock(self) -> Owner | Problem | None:
        """Take the lock away from an owner that can't give it back; answers whose it was, or why it can't be taken."""
        ...

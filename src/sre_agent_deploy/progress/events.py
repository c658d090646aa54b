"""Events of a run, which a terminal, a plain log or `--json` can show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from sre_core import clock
from sre_core.problem import Problem

type Step = Literal["started", "waiting", "done", "failed", "unknown", "stopped"]
"""`unknown`: a check that could not look. `stopped`: the user stopped it."""
type Why = Literal["throttled", "busy", "transient", "propagating", "ready", "shown", "gone"]


@dataclass(frozen=True)
class Wait:
    """The reason for a wait and its deadline; with `operation` and `code` where AWS has refused a call so far."""

    why: Why
    until: datetime
    operation: str = ""
    code: str = ""

    def to_json(self) -> dict[str, str]:
        parts = {"kind": self.why, "until": clock.stamp(self.until), "operation": self.operation, "code": self.code}
        return {key: value for key, value in parts.items() if value}


@dataclass(frozen=True)
class Event:
    """One step of one resource or check. `seconds` is its duration, once it has ended."""

    step: Step
    name: str
    what: str
    seconds: float = 0.0
    problem: Problem | None = None
    wait: Wait | None = None

    @property
    def ended(self) -> bool:
        """Say if nothing more comes of this step."""
        return self.step not in ("started", "waiting")

    def to_json(self) -> dict[str, Any]:
        parts: dict[str, Any] = {"event": self.step, "time": clock.stamp(), "name": self.name, "what": self.what}
        if self.ended:
            parts["seconds"] = round(self.seconds, 3)
        if self.wait:
            parts["wait"] = self.wait.to_json()
        if self.problem:
            parts["problem"] = self.problem.to_json()
        return parts


class Observer(Protocol):
    """A function that receives events; called from many threads."""

    def __call__(self, event: Event, /) -> None: ...


def ignore_event(event: Event) -> None:
    """Show nothing."""

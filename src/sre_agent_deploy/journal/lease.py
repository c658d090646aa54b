"""The lock as the run that holds it sees it: its own at this moment, or taken over by another run."""

from __future__ import annotations

from typing import Protocol

from sre_agent_deploy.journal.state import Run, State
from sre_core.problem import Problem


class Lease(Protocol):
    """A lock that this run has taken and may lose: by `unlock`, or by sleeping for longer than its lease."""

    def require(self) -> None:
        """Raise Refused, now and at every later call, if the lock is no longer this run's."""
        ...


def find_other_run(own: State | None, stored: State | Problem | None) -> Run | None:
    """Find the newest run that a stored state has and this run's own copy has not (pure)."""
    known = own.runs if own else ()
    others = [run for run in stored.runs if run not in known] if isinstance(stored, State) else []
    return others[-1] if others else None


def describe_run(run: Run | None) -> str:
    """Describe the run that took the lock over and has released it since; empty without one."""
    if run is None:
        return ""
    ended = f"ended at {run.ended} ({run.result})" if run.ended else "has not recorded its end"
    return f"{run.who} on {run.host} began `{run.command}` at {run.started}, which {ended}"


def lock_lost(location: str, taker: str) -> Problem:
    """Another run took the lock of this one over. `taker` says which; it is empty where none has begun yet."""
    cause = f"taken over while this run slept or was cut off: {taker}" if taker else "taken away, and no other run has begun since"
    return Problem(
        code="LOCK-LOST",
        what=f"This run ended because it no longer holds the lock of {location}. It made no further change.",
        why=f"The lock was {cause}.",
        do=(
            f"See what was done meanwhile: `sre-agent-deploy history --state-file {location}`.",
            "When no other run is at work, run the same command again: it continues from what both runs have recorded.",
        ),
    )

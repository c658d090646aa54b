"""Signals: the statements of detectors about one service each, with their sources."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sre_agent.evidence import Excerpt


class Kind(StrEnum):
    """The kinds of signals. `hypotheses` decides what each means for a cause."""

    CRASH_LOOP = "crash_loop"
    OOM_KILL = "oom_kill"
    RESTARTED = "restarted"
    OLD_RESTARTS = "old_restarts"
    CANNOT_START = "cannot_start"
    IMAGE_PULL = "image_pull"
    UNSCHEDULABLE = "unschedulable"
    PROBE_FAILING = "probe_failing"
    UNAVAILABLE = "unavailable"
    NODE_OOM = "node_oom"
    SCALED_TO_ZERO = "scaled_to_zero"
    NODE_PROBLEM = "node_problem"
    CHANGED = "changed"
    UNKNOWN_HOST = "unknown_host"
    CONFIG_ERROR = "config_error"
    TERMINATION_MESSAGE = "termination_message"
    CONNECTION_ERROR = "connection_error"
    PEER_ERROR = "peer_error"
    MEMORY_ERROR = "memory_error"
    ERROR_BURST = "error_burst"
    MEMORY_RISING = "memory_rising"
    CPU_SATURATED = "cpu_saturated"
    DEGRADED = "degraded"
    RELATION = "relation"


# The kinds that mean that something is wrong now, with any cause.
SYMPTOMS = frozenset(
    {
        Kind.CRASH_LOOP,
        Kind.OOM_KILL,
        Kind.CANNOT_START,
        Kind.IMAGE_PULL,
        Kind.UNSCHEDULABLE,
        Kind.UNAVAILABLE,
        Kind.NODE_PROBLEM,
        Kind.ERROR_BURST,
        Kind.MEMORY_RISING,
        Kind.CPU_SATURATED,
        Kind.DEGRADED,
    }
)


@dataclass(frozen=True, kw_only=True)
class Signal:
    """One statement. `subject` is a setting, host or resource that it names; `peer` is another service that it points at.

    `moment` is a shorter text for the timeline, where `what` says more than what happened at that time.
    """

    kind: Kind
    service: str
    what: str
    sources: tuple[Excerpt, ...] = field(repr=False)
    at: datetime | None = None
    subject: str = ""
    peer: str = ""
    moment: str = ""
    details: tuple[str, ...] = ()

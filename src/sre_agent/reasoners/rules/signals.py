"""What detectors say: one typed statement about one service, with where it was seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sre_agent.evidence import Excerpt


class Kind(StrEnum):
    """What can be noticed. What each means for a cause is decided in `hypotheses`."""

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
    LAST_WORDS = "last_words"
    CONNECTION_ERROR = "connection_error"
    PEER_ERROR = "peer_error"
    MEMORY_WORDS = "memory_words"
    ERROR_BURST = "error_burst"
    MEMORY_RISING = "memory_rising"
    CPU_SATURATED = "cpu_saturated"
    DEGRADED = "degraded"


# Kinds that mean that something is wrong now, whatever the cause.
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
    """`subject` is what it is about (a setting, a host, a resource); `peer` the other service that it points at.

    `moment` is the same for a timeline: what happened at `at`, where `what` tells more than that.
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

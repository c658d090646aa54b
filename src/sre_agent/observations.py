"""Observations of the specialists, as typed records with their source. They are all that a reasoner looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime

from sre_agent.evidence import Answer, Excerpt
from sre_agent.relations import Autoscaler, Claim, Component, Denial, Exposure, Job, LimitRange, Quota, Requirements, Route, Schedule
from sre_agent.report import Gap


@dataclass(frozen=True, kw_only=True)
class Container:
    """One container of a pod: its state now, and how it ended last."""

    name: str
    ready: bool
    restarts: int
    reason: str = ""
    message: str = ""
    last_reason: str = ""
    last_message: str = ""
    last_exit_code: int | None = None
    last_finished: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Pod:
    """A pod and its containers."""

    namespace: str
    name: str
    service: str
    phase: str
    ready: bool
    created: datetime | None
    containers: tuple[Container, ...]
    node: str = ""
    reason: str = ""
    message: str = ""
    source: Excerpt = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Change:
    """A new revision of a workload: when, and what differs from the one before."""

    service: str
    at: datetime
    revision: str
    differences: tuple[str, ...]
    source: Excerpt = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A deployment: its desired and its actual state."""

    namespace: str
    service: str
    desired: int
    available: int
    settings: Mapping[str, str]
    complaints: tuple[str, ...]
    source: Excerpt = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Event:
    """A Kubernetes event; `service` is the workload that its object belongs to."""

    at: datetime | None
    warning: bool
    reason: str
    kind: str
    name: str
    service: str
    message: str
    count: int
    source: Excerpt = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Node:
    """A node and its failing conditions."""

    name: str
    ready: bool
    complaints: tuple[str, ...]
    source: Excerpt = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """A line, or a template of `count` lines."""

    at: datetime | None
    service: str
    level: str
    message: str
    count: int = 1
    source: Excerpt = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class ErrorCount:
    """The number of errors that a service logged lately, and in the equally long time before."""

    service: str
    count: int
    count_before: int
    first_seen: datetime | None
    source: Excerpt = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Pulse:
    """A level that came and perhaps went, with the usual level."""

    start: datetime | None
    normal: float
    level: float


@dataclass(frozen=True, kw_only=True)
class Trend:
    """The course of one metric of one service or pod; `changed_at` is when its level changed, if it did."""

    metric: str
    service: str
    pod: str
    unit: str
    direction: str
    first: float
    last: float
    lowest: float
    highest: float
    slope_per_hour: float
    fit: float
    drops: int = 0
    changed_at: datetime | None = None
    before: float | None = None
    after: float | None = None
    quantile: str = ""
    pulse: Pulse | None = None
    source: Excerpt = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Usage:
    """The use of one resource of one pod, compared with its limit."""

    metric: str
    service: str
    pod: str
    last: float
    highest: float
    limit: float | None
    percent_of_limit: float | None
    source: Excerpt = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class ErrorRate:
    """The share of failing answers of a service, now and in the window before."""

    service: str
    percent: float
    percent_before: float | None
    peak_at: datetime | None
    source: Excerpt = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Call:
    """Calls from one service to another, and the share that fails."""

    service: str
    peer: str
    failed_percent: float
    source: Excerpt = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Availability:
    """The share of successful answers of a service, and of the time that its replicas were up."""

    service: str
    success_percent: float | None
    up_percent: float | None
    source: Excerpt = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class RunbookStep:
    """One step of a runbook."""

    text: str
    changes_something: bool


@dataclass(frozen=True, kw_only=True)
class Runbook:
    """A runbook that might apply."""

    id: str
    title: str
    words: frozenset[str]
    steps: tuple[RunbookStep, ...]
    source: Excerpt = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Observations:
    """The records of one or more specialists, with the calls they made and the gaps in what they saw."""

    as_of: datetime | None = None
    pods: tuple[Pod, ...] = ()
    workloads: tuple[Workload, ...] = ()
    changes: tuple[Change, ...] = ()
    events: tuple[Event, ...] = ()
    nodes: tuple[Node, ...] = ()
    requirements: tuple[Requirements, ...] = ()
    exposures: tuple[Exposure, ...] = ()
    claims: tuple[Claim, ...] = ()
    quotas: tuple[Quota, ...] = ()
    components: tuple[Component, ...] = ()
    jobs: tuple[Job, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    autoscalers: tuple[Autoscaler, ...] = ()
    limit_ranges: tuple[LimitRange, ...] = ()
    routes: tuple[Route, ...] = ()
    denials: tuple[Denial, ...] = ()
    logs: tuple[LogLine, ...] = ()
    error_counts: tuple[ErrorCount, ...] = ()
    trends: tuple[Trend, ...] = ()
    usages: tuple[Usage, ...] = ()
    error_rates: tuple[ErrorRate, ...] = ()
    calls: tuple[Call, ...] = ()
    availabilities: tuple[Availability, ...] = ()
    runbooks: tuple[Runbook, ...] = ()
    answers: tuple[Answer, ...] = ()
    gaps: tuple[Gap, ...] = ()

    def __add__(self, other: Observations) -> Observations:
        """Combine the observations of two specialists."""
        as_of = max((moment for moment in (self.as_of, other.as_of) if moment), default=None)
        # Derived from the fields, so that a new kind of record can't be forgotten here.
        kinds = [kind.name for kind in fields(self) if kind.name != "as_of"]
        return Observations(as_of=as_of, **{kind: getattr(self, kind) + getattr(other, kind) for kind in kinds})

    @property
    def services(self) -> frozenset[str]:
        """The names of all services that were observed."""
        seen = [record.service for kind in (self.pods, self.workloads) for record in kind]
        seen += [record.service for kind in (self.logs, self.error_rates, self.usages) for record in kind]
        seen += [record.ref.name for record in self.requirements]
        return frozenset(name for name in seen if name)

"""Candidates for the root cause: for each kind of cause, the signals that support it and their points.

The points are explicit, so that a report can explain its confidence. A candidate without the decisive signals of its kind is never
concluded, with any number of points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sre_agent.reasoners.rules.signals import Kind, Signal
from sre_agent.relations import Ref

SHORTLY_BEFORE = timedelta(hours=2)  # between a change and the first failure that it can have caused
OVERLAP = timedelta(minutes=2)  # pods may fail shortly before the recorded time of their revision


@dataclass(frozen=True)
class Reason:
    """One reason for a candidate: its points, its explanation, and its signals."""

    points: float
    because: str
    signals: tuple[Signal, ...]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A possible root cause at one service. `decisive` says that the signals without which this kind is never concluded are there.

    `vague` says that it names no mechanism, so that any other suspicion is better. `specific` says that a detector of `causes`
    found it, so that the general kinds here say less. `explains` are services that fail because of it.
    """

    kind: str
    service: str
    summary: str
    search: str
    decisive: bool
    vague: bool = False
    missing: str = ""
    specific: bool = False
    explains: frozenset[str] = frozenset()
    object: Ref | None = None
    reasons: tuple[Reason, ...]

    @property
    def score(self) -> float:
        """The sum of its reasons; never certain."""
        return max(0.0, min(0.97, sum(reason.points for reason in self.reasons)))

    @property
    def signals(self) -> tuple[Signal, ...]:
        return tuple(signal for reason in self.reasons for signal in reason.signals)

    @property
    def began(self) -> datetime | None:
        """The time of its first signal. Changes are left out: a change precedes the failure."""
        return min((signal.at for signal in self.signals if signal.at and signal.kind is not Kind.CHANGED), default=None)


@dataclass(frozen=True)
class ServiceSignals:
    """The signals of one service, by kind."""

    service: str
    all: tuple[Signal, ...]

    def of(self, *kinds: Kind) -> tuple[Signal, ...]:
        return tuple(signal for signal in self.all if signal.kind in kinds)

    def first(self, *kinds: Kind) -> datetime | None:
        return min((signal.at for signal in self.of(*kinds) if signal.at), default=None)

    def changes_before(self, failure: datetime | None) -> tuple[Signal, ...]:
        """Return the latest change shortly before the failure."""
        if failure is None:
            return ()
        fitting = [change for change in self.of(Kind.CHANGED) if change.at and -OVERLAP <= failure - change.at <= SHORTLY_BEFORE]
        return tuple(sorted(fitting, key=lambda change: change.at or failure)[-1:])


def bad_configuration(signs: ServiceSignals) -> Candidate | None:
    """Return a service that exits at start because of a setting, which its log names and a change brought."""
    failing = signs.of(Kind.CRASH_LOOP, Kind.CANNOT_START)
    if not failing:
        return None
    logged, message, unknown = signs.of(Kind.CONFIG_ERROR), signs.of(Kind.TERMINATION_MESSAGE), signs.of(Kind.UNKNOWN_HOST)
    named_by_service = (*logged, *message)
    refused = () if named_by_service else signs.of(Kind.CONNECTION_ERROR)
    change = signs.changes_before(signs.first(Kind.CRASH_LOOP, Kind.CANNOT_START))
    named = next((signal.subject for signal in (*named_by_service, *unknown, *refused) if signal.subject), "")
    touched = tuple(found for found in change if _touches(found, (*named_by_service, *unknown, *refused)))
    which = f": {named}" if named else ""
    reasons = _with_signals(
        Reason(0.3, "it exits again and again", failing),
        Reason(0.3, f"its own log names a bad setting{which}", logged),
        Reason(0.05 if logged else 0.3, f"its termination message names a bad setting{which}", message),
        Reason(0.08, "its configuration names a host that does not exist", unknown),
        Reason(0.15, f"its log says that it can't connect{which}", refused if touched else ()),
        Reason(0.08, "it was changed shortly before the first failure", change),
        Reason(0.08, "the change touched the very setting that the failure names", touched),
    )
    return Candidate(
        kind="bad_configuration",
        service=signs.service,
        summary=f"{signs.service} fails at start because of a bad configuration{_describe_cause(named, change, bool(touched))}",
        search="crash loop bad configuration",
        decisive=bool(named_by_service or (touched and (unknown or refused))),
        missing="no record names the bad setting: neither an error in its log nor the change was observed",
        reasons=reasons,
    )


def memory_leak(signs: ServiceSignals) -> Candidate | None:
    """Suppose memory that only grows until the kernel ends the container."""
    rising, killed, logged = signs.of(Kind.MEMORY_RISING), signs.of(Kind.OOM_KILL), signs.of(Kind.MEMORY_ERROR)
    if not rising and not killed:
        return None
    near = tuple(signal for signal in rising if float(signal.subject or 0) >= 85)
    change = signs.changes_before(signs.first(Kind.MEMORY_RISING, Kind.OOM_KILL))
    reasons = _with_signals(
        Reason(0.35, "its memory rises steadily and is not freed", rising),
        Reason(0.35, "it was killed for using more memory than its limit", killed),
        Reason(0.08, "its memory came close to its limit", near),
        Reason(0.05, "its own log mentions memory", logged),
        Reason(0.06, "it was changed shortly before", change),
    )
    how = "leaks memory" if rising else "is killed for memory"
    end = " and is killed at its limit (OOMKilled, exit code 137)" if rising and killed else " towards its limit" if rising else ""
    since = f", since revision {change[0].subject} ({'; '.join(change[0].details)})" if change else ""
    return Candidate(
        kind="memory_leak" if rising else "out_of_memory",
        service=signs.service,
        summary=f"{signs.service} {how}{end}{since}",
        search="memory leak out of memory OOMKilled",
        decisive=bool(rising and killed),
        missing="growth over time was not observed" if killed else "no kill for memory was observed",
        reasons=reasons,
    )


def image_pull(signs: ServiceSignals) -> Candidate | None:
    """Return an image that can't be pulled."""
    return _direct(signs, Kind.IMAGE_PULL, "image_pull_failure", "runs pods whose image can't be pulled", "image pull back off")


def unschedulable(signs: ServiceSignals) -> Candidate | None:
    """Suppose pods that no node can take: none has room, or none is allowed."""
    return _direct(signs, Kind.UNSCHEDULABLE, "unschedulable", "has pods that no node can take", "pod pending unschedulable")


def scaled_to_zero(signs: ServiceSignals) -> Candidate | None:
    """Return a service without pods, because its deployment asks for none."""
    return _direct(signs, Kind.SCALED_TO_ZERO, "scaled_to_zero", "is scaled to zero replicas", "deployment scaled to zero")


def cannot_start(signs: ServiceSignals) -> Candidate | None:
    """Return a container that Kubernetes itself can't create: a missing ConfigMap, Secret, volume or command."""
    return _direct(
        signs, Kind.CANNOT_START, "container_cannot_start", "has containers that can't be created", "container create config error"
    )


def node_problem(signs: ServiceSignals) -> Candidate | None:
    """Return a node that is not ready or under pressure."""
    return _direct(signs, Kind.NODE_PROBLEM, "node_problem", "is a node that is not ready or under pressure", "node not ready pressure")


def cpu_saturation(signs: ServiceSignals) -> Candidate | None:
    """Return a service at its CPU limit that also became slower or fails more."""
    saturated, worse = signs.of(Kind.CPU_SATURATED), signs.of(Kind.DEGRADED)
    if not saturated:
        return None
    change = signs.changes_before(signs.first(Kind.DEGRADED))
    reasons = _with_signals(
        Reason(0.35, "its CPU is at its limit", saturated),
        Reason(0.25, "it became slower or fails more", worse),
        Reason(0.15, "it was changed shortly before", change),
    )
    return Candidate(
        kind="cpu_saturation",
        service=signs.service,
        summary=f"{signs.service} has reached its CPU limit",
        search="cpu saturation throttling high latency",
        decisive=bool(worse),
        missing="it became neither slower nor fails more",
        reasons=reasons,
    )


def failing_after_change(signs: ServiceSignals) -> Candidate | None:
    """Return a service that fails since it was changed, for an unknown reason: a suspicion, never a conclusion."""
    failing = signs.of(Kind.CRASH_LOOP, Kind.CANNOT_START, Kind.DEGRADED, Kind.ERROR_BURST)
    change = signs.changes_before(signs.first(Kind.CRASH_LOOP, Kind.CANNOT_START, Kind.DEGRADED, Kind.ERROR_BURST))
    if not failing or not change:
        return None
    return Candidate(
        kind="failing_after_change",
        service=signs.service,
        summary=f"{signs.service} fails since revision {change[0].subject}",
        search="rollback failed deployment",
        decisive=False,
        vague=True,
        missing="no record shows how the change causes the failure",
        reasons=(Reason(0.25, "it fails", failing), Reason(0.2, "it was changed shortly before the first failure", change)),
    )


KINDS: tuple[Callable[[ServiceSignals], Candidate | None], ...] = (
    bad_configuration,
    memory_leak,
    image_pull,
    unschedulable,
    scaled_to_zero,
    cannot_start,
    node_problem,
    cpu_saturation,
    failing_after_change,
)


def find_candidates(signs: ServiceSignals) -> Iterator[Candidate]:
    """Find every kind of cause that a signal of the service supports."""
    for kind in KINDS:
        if candidate := kind(signs):
            yield candidate


def _direct(signs: ServiceSignals, kind: Kind, name: str, what: str, search: str) -> Candidate | None:
    """Make a candidate of a kind that its signal states directly; missing replicas and a change shortly before add points."""
    stated = signs.of(kind)
    if not stated:
        return None
    reasons = _with_signals(
        Reason(0.6, f"it {what}", stated),
        Reason(0.1, "its replicas are not available", signs.of(Kind.UNAVAILABLE)),
        Reason(0.1, "it was changed shortly before", signs.changes_before(signs.first(kind))),
    )
    return Candidate(kind=name, service=signs.service, summary=f"{signs.service} {what}", search=search, decisive=True, reasons=reasons)


def _with_signals(*reasons: Reason) -> tuple[Reason, ...]:
    """Keep the reasons that have signals."""
    return tuple(reason for reason in reasons if reason.signals)


def _touches(change: Signal, signals: tuple[Signal, ...]) -> bool:
    """Say whether the change's differences name the subject of a signal."""
    return bool(_select_differences(change, [signal.subject for signal in signals if signal.subject]))


def _select_differences(change: Signal, subjects: list[str]) -> list[str]:
    """Select the differences that name a setting, or the first part of a host or file."""
    parts = {subject.lower() for subject in subjects} | {subject.lower().partition(":")[0].partition(".")[0] for subject in subjects}
    return [found for found in change.details if any(len(part) > 2 and part in found.lower() for part in parts)]


def _describe_cause(named: str, change: tuple[Signal, ...], touched: bool) -> str:
    """Describe the cause as exactly as it is known: the difference, else the name and the revision."""
    if change and touched and (differences := _select_differences(change[0], [named])):
        return f": {differences[0]} (revision {change[0].subject})"
    since = f", since revision {change[0].subject}" if change else ""
    return f"{f': {named}' if named else ''}{since}"

"""Candidates for the root cause: for each kind of cause, which signals speak for it and how much.

The points are explicit so that a report can say where its confidence comes from. A candidate that lacks what its kind can't
do without is never concluded, whatever its points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sre_agent.reasoners.rules.signals import Kind, Signal

SHORTLY_BEFORE = timedelta(hours=2)  # between a change and the first failure that it can have caused
OVERLAP = timedelta(minutes=2)  # pods may fail a moment before the new revision's record says it exists


@dataclass(frozen=True)
class Reason:
    """Why a candidate is likely: points, words, and the signals behind them."""

    points: float
    because: str
    signals: tuple[Signal, ...]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A possible root cause at one service. `decisive`: everything that this kind can't do without was seen.

    `vague`: it names no mechanism, so that any other suspicion says more.
    """

    kind: str
    service: str
    summary: str
    search: str
    decisive: bool
    vague: bool = False
    missing: str = ""
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
        """When its first sign was seen, changes left out: a change precedes what it breaks."""
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
        """The newest change that was made shortly before the failure."""
        if failure is None:
            return ()
        fitting = [change for change in self.of(Kind.CHANGED) if change.at and -OVERLAP <= failure - change.at <= SHORTLY_BEFORE]
        return tuple(sorted(fitting, key=lambda change: change.at or failure)[-1:])


def bad_configuration(signs: ServiceSignals) -> Candidate | None:
    """A service that ends by itself at start, says what it can't use, and was given it by a change."""
    failing = signs.of(Kind.CRASH_LOOP, Kind.CANNOT_START)
    if not failing:
        return None
    logged, last, unknown = signs.of(Kind.CONFIG_ERROR), signs.of(Kind.LAST_WORDS), signs.of(Kind.UNKNOWN_HOST)
    told = (*logged, *last)
    refused = () if told else signs.of(Kind.CONNECTION_ERROR)
    change = signs.changes_before(signs.first(Kind.CRASH_LOOP, Kind.CANNOT_START))
    named = next((signal.subject for signal in (*told, *unknown, *refused) if signal.subject), "")
    touched = tuple(found for found in change if _touches(found, (*told, *unknown, *refused)))
    which = f": {named}" if named else ""
    reasons = _given(
        Reason(0.3, "it ends by itself again and again", failing),
        Reason(0.3, f"its own log says what it can't use{which}", logged),
        Reason(0.05 if logged else 0.3, f"its last words before it ended, which Kubernetes kept, say what it can't use{which}", last),
        Reason(0.08, "its configuration names a host that does not exist", unknown),
        Reason(0.15, f"it says what it can't reach{which}", refused if touched else ()),
        Reason(0.08, "it was changed shortly before the first failure", change),
        Reason(0.08, "the change touched exactly what the failure is about", touched),
    )
    return Candidate(
        kind="bad_configuration",
        service=signs.service,
        summary=f"{signs.service} fails at start because of a bad configuration{_blamed(named, change, bool(touched))}",
        search="crash loop bad configuration",
        decisive=bool(told or (touched and (unknown or refused))),
        missing="no record says what it can't use: its log's error and the change behind it were not seen",
        reasons=reasons,
    )


def memory_leak(signs: ServiceSignals) -> Candidate | None:
    """Memory that only grows until the kernel ends the container."""
    rising, killed, words = signs.of(Kind.MEMORY_RISING), signs.of(Kind.OOM_KILL), signs.of(Kind.MEMORY_WORDS)
    if not rising and not killed:
        return None
    near = tuple(signal for signal in rising if float(signal.subject or 0) >= 85)
    change = signs.changes_before(signs.first(Kind.MEMORY_RISING, Kind.OOM_KILL))
    reasons = _given(
        Reason(0.35, "its memory rises steadily and does not come down by itself", rising),
        Reason(0.35, "it was killed for using more memory than its limit", killed),
        Reason(0.08, "its memory came close to its limit", near),
        Reason(0.05, "its own log speaks of memory", words),
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
        missing="growth over time was not seen" if killed else "no kill for memory was seen",
        reasons=reasons,
    )


def image_pull(signs: ServiceSignals) -> Candidate | None:
    """An image that can't be pulled."""
    return _direct(signs, Kind.IMAGE_PULL, "image_pull_failure", "runs pods whose image can't be pulled", "image pull back off")


def unschedulable(signs: ServiceSignals) -> Candidate | None:
    """Pods for which no node has room or is allowed."""
    return _direct(signs, Kind.UNSCHEDULABLE, "unschedulable", "has pods that no node can take", "pod pending unschedulable")


def scaled_to_zero(signs: ServiceSignals) -> Candidate | None:
    """Nothing runs because nothing was asked to."""
    return _direct(signs, Kind.SCALED_TO_ZERO, "scaled_to_zero", "is scaled to zero replicas", "deployment scaled to zero")


def cannot_start(signs: ServiceSignals) -> Candidate | None:
    """A container that Kubernetes itself can't create: a missing ConfigMap, Secret, volume or command."""
    return _direct(
        signs, Kind.CANNOT_START, "container_cannot_start", "has containers that can't be created", "container create config error"
    )


def node_problem(signs: ServiceSignals) -> Candidate | None:
    """A node that is not ready or under pressure."""
    return _direct(signs, Kind.NODE_PROBLEM, "node_problem", "is a node that is not ready or under pressure", "node not ready pressure")


def cpu_saturation(signs: ServiceSignals) -> Candidate | None:
    """A service at its CPU limit that also answers worse."""
    saturated, worse = signs.of(Kind.CPU_SATURATED), signs.of(Kind.DEGRADED)
    if not saturated:
        return None
    change = signs.changes_before(signs.first(Kind.DEGRADED))
    reasons = _given(
        Reason(0.35, "it uses all the CPU that it may", saturated),
        Reason(0.25, "it answers worse", worse),
        Reason(0.15, "it was changed shortly before", change),
    )
    return Candidate(
        kind="cpu_saturation",
        service=signs.service,
        summary=f"{signs.service} has reached its CPU limit",
        search="cpu saturation throttling high latency",
        decisive=bool(worse),
        missing="it is not seen to answer worse",
        reasons=reasons,
    )


def failing_after_change(signs: ServiceSignals) -> Candidate | None:
    """A service that crashes or fails since it was changed, while nothing says why: a suspicion, never a conclusion."""
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
        missing="no record shows how the change leads to the failure",
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
    """Every kind of cause that some signal of the service speaks for."""
    for kind in KINDS:
        if candidate := kind(signs):
            yield candidate


def _direct(signs: ServiceSignals, kind: Kind, name: str, what: str, search: str) -> Candidate | None:
    """A kind that its own signal states outright; a change shortly before and missing replicas add to it."""
    stated = signs.of(kind)
    if not stated:
        return None
    reasons = _given(
        Reason(0.6, f"it {what}", stated),
        Reason(0.1, "its replicas are not available", signs.of(Kind.UNAVAILABLE)),
        Reason(0.1, "it was changed shortly before", signs.changes_before(signs.first(kind))),
    )
    return Candidate(kind=name, service=signs.service, summary=f"{signs.service} {what}", search=search, decisive=True, reasons=reasons)


def _given(*reasons: Reason) -> tuple[Reason, ...]:
    """Those reasons for which something was seen."""
    return tuple(reason for reason in reasons if reason.signals)


def _touches(change: Signal, told: tuple[Signal, ...]) -> bool:
    """Whether the change's differences name what the failure is about."""
    return bool(_differences_about(change, [signal.subject for signal in told if signal.subject]))


def _differences_about(change: Signal, subjects: list[str]) -> list[str]:
    """The differences that name a setting, or the first part of a host or file."""
    parts = {subject.lower() for subject in subjects} | {subject.lower().partition(":")[0].partition(".")[0] for subject in subjects}
    return [found for found in change.details if any(len(part) > 2 and part in found.lower() for part in parts)]


def _blamed(named: str, change: tuple[Signal, ...], touched: bool) -> str:
    """What is to blame, as far as it is known: the very difference, else the name and the revision."""
    if change and touched and (differences := _differences_about(change[0], [named])):
        return f": {differences[0]} (revision {change[0].subject})"
    since = f", since revision {change[0].subject}" if change else ""
    return f"{f': {named}' if named else ''}{since}"

"""The diagnosis: the candidate that explains most signals, its consequences, and what is unrelated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sre_agent.observations import Observations
from sre_agent.reasoners.rules import cluster, logs, metrics, pods, service_graph
from sre_agent.reasoners.rules.causes import (
    admission,
    bounds,
    databases,
    nodes,
    performance,
    probes,
    routes,
    scheduling,
    services,
    startup,
    traffic,
)
from sre_agent.reasoners.rules.hypotheses import Candidate, Reason, ServiceSignals, find_candidates
from sre_agent.reasoners.rules.observation_index import ObservationIndex
from sre_agent.reasoners.rules.service_graph import ServiceGraph
from sre_agent.reasoners.rules.signals import SYMPTOMS, Kind, Signal
from sre_agent.reasoners.rules.vocabulary import CAUSES
from sre_agent.report import Verdict
from sre_agent.scope import Scope
from sre_core import clock

CONCLUDES = 0.6  # the score from which a candidate is concluded
SECOND_BEST = 0.3  # the score from which one is named beside it
DETECTORS = (
    admission.detect,
    scheduling.detect,
    startup.detect,
    probes.detect,
    services.detect,
    databases.detect,
    nodes.detect,
    performance.detect,
    routes.detect,
    traffic.detect,
    bounds.detect,
)
# Kinds that say only that something fails; what a detector of a cause found at the same place says more.
GENERAL = frozenset(
    {
        "unschedulable",
        "image_pull_failure",
        "container_cannot_start",
        "node_problem",
        "cpu_saturation",
        "out_of_memory",
        "failing_after_change",
    }
)
# What a look at objects as they are now tells, unless it has a time.
SEEN_NOW = frozenset({Kind.UNAVAILABLE, Kind.SCALED_TO_ZERO, Kind.UNKNOWN_HOST, Kind.NODE_PROBLEM})
OUT_OF_SCOPE = 0.1  # the points that a candidate loses if the service in the question does not depend on it


@dataclass(frozen=True)
class RuledOut:
    """A fact that looked like a cause, and the reason why it is none."""

    what: str
    why: str
    signals: tuple[Signal, ...]


@dataclass(frozen=True)
class Diagnosis:
    """The result of the rules."""

    verdict: Verdict
    cause: Candidate | None
    others: tuple[Candidate, ...]
    second: Candidate | None
    suspicion: Candidate | None
    affected: tuple[str, ...]
    symptoms: tuple[Signal, ...]
    signals: tuple[Signal, ...]
    ruled_out: tuple[RuledOut, ...]


def detect_signals(observations: Observations, scope: Scope) -> tuple[Signal, ...]:
    """Run all detectors."""
    since = scope.since(observations.as_of or clock.now())
    found = (
        *pods.detect(observations.pods, since),
        *cluster.detect_workloads(observations.workloads),
        *cluster.detect_changes(observations.changes, since),
        *cluster.detect_events(observations.events, observations.pods, since),
        *cluster.detect_nodes(observations.nodes),
        *logs.detect(observations.logs, service_graph.collect_names(observations)),
        *logs.detect_bursts(observations.error_counts),
        *metrics.detect(observations),
    )
    return tuple(signal for signal in found if scope.until is None or _was_seen(signal, scope.until))


def _was_seen(signal: Signal, until: datetime) -> bool:
    """Return True for a signal of a time that is over; objects without a time are seen as they are now."""
    return signal.at <= until if signal.at else signal.kind not in SEEN_NOW


def _is_of_time(candidate: Candidate, since: datetime, until: datetime) -> bool:
    """Return True for a candidate of a time that is over: something besides a change shows it then. How objects are now shows nothing."""
    return any(
        since <= signal.at <= until if signal.at else signal.kind not in {*SEEN_NOW, Kind.RELATION}
        for signal in candidate.signals
        if signal.kind is not Kind.CHANGED
    )


def diagnose(observations: Observations, scope: Scope, without: frozenset[str] = frozenset()) -> Diagnosis:
    """Diagnose observations: the verdict, the best candidate, and everything that was ruled out. Causes of `without` are unknown."""
    signals = detect_signals(observations, scope)
    graph = service_graph.build_graph(observations, [(signal.service, signal.peer) for signal in signals if signal.peer])
    names = service_graph.collect_names(observations)
    index = ObservationIndex(observations, signals, graph, names, scope.since(observations.as_of or clock.now()))
    ranked = _rank_candidates(index, scope, without)
    best = ranked[0] if ranked else None
    concluded = best if best and best.decisive and best.score >= CONCLUDES else None
    symptoms = tuple(signal for signal in signals if signal.kind in SYMPTOMS)
    return Diagnosis(
        verdict=_verdict(observations, concluded, symptoms),
        cause=concluded,
        others=_find_others(concluded, ranked, graph) if concluded else (),
        second=_find_second(concluded, ranked, graph) if concluded else None,
        suspicion=None if concluded or not symptoms else best,
        affected=_find_affected(concluded, graph, signals) if concluded else (),
        symptoms=symptoms,
        signals=signals,
        ruled_out=tuple(_rule_out(signals, ranked, concluded, graph)),
    )


def _rank_candidates(index: ObservationIndex, scope: Scope, without: frozenset[str]) -> list[Candidate]:
    """Rank all candidates: decisive ones first, then by score, then by who failed first."""
    signals, graph = index.signals, index.graph
    by_service: dict[str, list[Signal]] = defaultdict(list)
    for signal in signals:
        by_service[signal.service].append(signal)
    found = [
        _weigh_candidate(candidate, signals, graph, scope)
        for service, own in sorted(by_service.items())
        for candidate in find_candidates(ServiceSignals(service, tuple(own)))
        if candidate.kind not in without
    ]
    detected = [candidate for detect in DETECTORS for candidate in detect(index) if candidate.kind not in without]
    specific = [_weigh_candidate(candidate, signals, graph, scope) for candidate in detected]
    if scope.until:
        found, specific = ([one for one in some if _is_of_time(one, index.since, scope.until)] for some in (found, specific))
    found = [*specific, *(candidate for candidate in found if not _says_less(candidate, specific))]
    now = clock.now()

    def order(candidate: Candidate) -> tuple[bool, bool, bool, float, datetime, str]:
        follows = _find_source(candidate, found, graph) is not None
        return not candidate.decisive, follows, candidate.vague, -candidate.score, candidate.began or now, candidate.service

    return sorted(found, key=order)


def _says_less(candidate: Candidate, specific: Sequence[Candidate]) -> bool:
    """Return True for a general candidate at a place where a detector found the cause, unless a change brought what it names."""
    if candidate.kind == "scaled_to_zero":
        return True
    changed = any(signal.kind is Kind.CHANGED for signal in candidate.signals)
    general = candidate.kind in GENERAL or (candidate.kind == "bad_configuration" and not changed)
    return general and any(candidate.service == found.service or candidate.service in found.explains for found in specific)


def _weigh_candidate(candidate: Candidate, signals: Sequence[Signal], graph: ServiceGraph, scope: Scope) -> Candidate:
    """Add the reasons for and against a candidate that come from the rest of the system."""
    reasons = list(candidate.reasons)
    cited = set(candidate.signals)
    own = tuple(signal for signal in signals if signal.service == candidate.service and signal.kind in SYMPTOMS and signal not in cited)
    if own:
        reasons.append(Reason(0.03, "other signals of the same service fit", own))
    if complaints := _complaints(candidate, signals):
        reasons.append(
            Reason(0.05, f"other services report that it fails: {', '.join(sorted({c.service for c in complaints}))}", complaints)
        )
    if scope.service and scope.service != candidate.service and candidate.service not in graph.dependencies_of(scope.service):
        reasons.append(Reason(-OUT_OF_SCOPE, f"{scope.service}, which the question is about, is not known to depend on it", ()))
    return replace(candidate, reasons=tuple(reasons))


def _complaints(candidate: Candidate, signals: Sequence[Signal]) -> tuple[Signal, ...]:
    return tuple(signal for signal in signals if signal.peer == candidate.service)


def _find_source(candidate: Candidate, others: Sequence[Candidate], graph: ServiceGraph) -> Candidate | None:
    """Find a decisive candidate that this one's service depends on and that failed no later: this one is then a consequence."""
    behind = graph.dependencies_of(candidate.service)
    for other in others:
        if not other.decisive or other.score < CONCLUDES or other.service == candidate.service:
            continue
        wider = other.object is not None and other.object.kind in {"Node", "Namespace"}
        if candidate.service in other.explains and other.service not in candidate.explains and (wider or not _stands_alone(candidate)):
            return other
        if _stands_alone(candidate):
            continue
        if other.service in behind and not other.vague and candidate.service not in graph.dependencies_of(other.service):
            earlier = other.began is None or candidate.began is None or other.began <= candidate.began
            if earlier:
                return other
    return None


def _find_others(cause: Candidate, ranked: Sequence[Candidate], graph: ServiceGraph) -> tuple[Candidate, ...]:
    """Find further causes: decisive, specific, at other objects, and no consequence of any other candidate."""
    found: dict[str, Candidate] = {}
    for candidate in ranked:
        alone = candidate.service != cause.service and not candidate.vague
        if alone and candidate.decisive and candidate.score >= CONCLUDES and _find_source(candidate, ranked, graph) is None:
            found.setdefault(candidate.service, candidate)
    return tuple(found.values())


def _find_second(cause: Candidate, ranked: Sequence[Candidate], graph: ServiceGraph) -> Candidate | None:
    """Find what explains the complaint second best: no consequence of the cause, and no further cause beside it."""
    others = _find_others(cause, ranked, graph)
    for candidate in ranked:
        other = (candidate.kind, candidate.service) != (cause.kind, cause.service) and candidate not in others
        if other and candidate.score >= SECOND_BEST and _find_source(candidate, ranked, graph) is None:
            return candidate
    return None


def _stands_alone(candidate: Candidate) -> bool:
    """Return True for a fault of its own, such as a selector that matches nothing: no other service's failure brings it about."""
    return candidate.specific and not candidate.vague and CAUSES[candidate.kind].area != "performance"


def _find_affected(cause: Candidate, graph: ServiceGraph, signals: Sequence[Signal]) -> tuple[str, ...]:
    """Find the services that depend on the cause and have symptoms or report that they can't reach it."""
    suffering = {signal.service for signal in signals if signal.kind in SYMPTOMS or signal.kind is Kind.PEER_ERROR}
    return tuple(sorted((graph.dependents_of(cause.service) & suffering) - {cause.service}))


def _verdict(observations: Observations, cause: Candidate | None, symptoms: tuple[Signal, ...]) -> Verdict:
    if cause:
        return "root_cause_found"
    # "Nothing wrong" needs a look at pods, logs and metrics. Logs without a record were looked at; the report names that gap.
    logs = observations.logs or any(answer.tool.endswith("get_error_logs") and not answer.failure for answer in observations.answers)
    looked = observations.pods and (observations.error_rates or observations.usages) and logs
    return "nothing_wrong" if looked and not symptoms else "not_enough_evidence"


def _rule_out(signals: Sequence[Signal], ranked: Sequence[Candidate], cause: Candidate | None, graph: ServiceGraph) -> Iterator[RuledOut]:
    yield from _rule_out_restarts(signals)
    yield from _rule_out_changes(signals, cause)
    for candidate in ranked:
        if cause is None or candidate.service == cause.service or candidate in _find_others(cause, ranked, graph):
            continue
        source = _find_source(candidate, ranked, graph)
        if source:
            why = f"it depends on {source.service}, which failed no later"
        elif not candidate.decisive:
            why = candidate.missing
        else:
            why = f"it explains less (score {candidate.score:.2f} against {cause.score:.2f})"
        yield RuledOut(candidate.summary, why, candidate.signals[:3])


def _rule_out_restarts(signals: Sequence[Signal]) -> Iterator[RuledOut]:
    for signal in signals:
        if signal.kind is Kind.OLD_RESTARTS:
            yield RuledOut(f"Restarts of {signal.service}", f"the last one is older than the incident: {signal.what}", (signal,))
        elif signal.kind is Kind.RESTARTED:
            yield RuledOut(f"Restarts of {signal.service}", f"it is no crash loop: {signal.what}", (signal,))
        elif signal.kind is Kind.SCALED_TO_ZERO and not any(other.peer == signal.service for other in signals):
            yield RuledOut(f"No replicas of {signal.service}", "no other service needs it", (signal,))


def _rule_out_changes(signals: Sequence[Signal], cause: Candidate | None) -> Iterator[RuledOut]:
    """Rule out changes of services without symptoms, and earlier changes of the cause."""
    unhealthy = {signal.service for signal in signals if signal.kind in SYMPTOMS}
    for signal in signals:
        if signal.kind is not Kind.CHANGED or (cause and signal in cause.signals):
            continue
        if signal.service not in unhealthy:
            yield RuledOut(f"The change of {signal.service}", f"{signal.service} shows no failure since: {signal.what}", (signal,))
        elif cause and signal.service == cause.service:
            yield RuledOut(f"An earlier change of {signal.service}", f"a later one fits better: {signal.what}", (signal,))

"""Slowness: a CPU that is overloaded, a network that is slow or loses packets, at a pod or at a node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sre_agent.observations import Trend
from sre_agent.reasoners.rules.hypotheses import Candidate, Reason
from sre_agent.reasoners.rules.observation_index import MOST_NAMED, ObservationIndex, fact, list_some, suspect
from sre_agent.reasoners.rules.signals import Kind, Signal
from sre_agent.relations import Ref

_SLOWER = 3.0  # times the usual latency
_FEWEST_MS = 20.0  # that a latency rises by
_BUSIER = 2.0  # times the usual CPU
_FEWEST_MILLICORES = 50.0
_NEAR = 85.0  # percent of the memory limit
_LOSSY = 2.0  # retransmissions a second
# With these a service does not answer at all, and those that wait for it become slow.
_FAILURES = frozenset(
    {Kind.CRASH_LOOP, Kind.OOM_KILL, Kind.CANNOT_START, Kind.IMAGE_PULL, Kind.UNSCHEDULABLE, Kind.UNAVAILABLE, Kind.NODE_PROBLEM}
)
# With these there is a reason why a service works more: it collects garbage, starts again and again, or is another version.
_WORK = frozenset({Kind.OOM_KILL, Kind.MEMORY_RISING, Kind.MEMORY_ERROR, Kind.CRASH_LOOP, Kind.RESTARTED, Kind.CHANGED, Kind.CANNOT_START})
_NEARLY_ALL = 0.85
_COMMON = 3  # callees that are all slow at once: then it is their caller that is slow


@dataclass(frozen=True)
class Rise:
    """A series that rose: by a pulse, or to another level."""

    trend: Trend
    normal: float
    level: float

    @property
    def factor(self) -> float:
        return self.level / max(self.normal, 1e-3)

    @property
    def began(self) -> datetime | None:
        """Return when it rose."""
        return self.trend.pulse.start if self.trend.pulse else self.trend.changed_at

    def signal(self, at: str) -> Signal:
        """State the rise as evidence about a service or a node."""
        percentile = f" (quantile {self.trend.quantile})" if self.trend.quantile else ""
        what = f"{self.trend.metric}{percentile} of {self.trend.service} rose from {self.normal:.4g} to {self.level:.4g} {self.trend.unit}"
        return fact(at, what, self.trend.source, at=self.began)


@dataclass(frozen=True)
class Slowness:
    """The services that became slower: in the middle of their answers, or only in the slowest of them."""

    middle: Mapping[str, Rise]
    tail: Mapping[str, Rise]

    def without(self, services: frozenset[str]) -> Slowness:
        """Return the slowness of all other services."""
        middle, tail = ({name: rise for name, rise in kind.items() if name not in services} for kind in (self.middle, self.tail))
        return Slowness(middle, tail)

    def of(self, service: str) -> Rise:
        return self.middle.get(service) or self.tail[service]

    @property
    def all(self) -> frozenset[str]:
        return frozenset({*self.middle, *self.tail})


def detect(index: ObservationIndex) -> Iterator[Candidate]:
    """Detect what made services slow; a network is only suspected where no CPU explains it."""
    slow = _find_slow(index)
    busy = list(_overloaded(index, slow))
    lossy = list(_lossy_nodes(index, slow))
    yield from (*busy, *lossy)
    own = slow.without(_waiting(index))
    if own.all and not busy and not lossy and not _is_explained(index, own):
        yield from _delayed(index, own)


def _is_explained(index: ObservationIndex, slow: Slowness) -> bool:
    """Return True where something else explains all slowness: a node that fails, or what is at its limit or was changed, and calls it.

    What happens at one service says nothing of services that do not call it, and a change nothing of what began before it.
    """
    if any(signal.kind is Kind.NODE_PROBLEM for signal in index.signals):
        return True
    reasons = frozenset(signal.service for signal in index.signals if signal.service in slow.all and _slows(signal, slow))
    return bool(reasons) and slow.all <= reasons.union(*(index.graph.dependents_of(service) for service in reasons))


def _slows(signal: Signal, slow: Slowness) -> bool:
    """Return True for a signal that is a reason why its own service became slow."""
    if signal.kind is Kind.CHANGED:
        began = slow.of(signal.service).began
        return signal.at is None or began is None or signal.at <= began
    near = signal.kind is Kind.MEMORY_RISING and float(signal.subject or 0) >= _NEAR
    return near or signal.kind is Kind.CPU_SATURATED


def _waiting(index: ObservationIndex) -> frozenset[str]:
    """Find the services that fail outright, and those that wait for them: what is slow there has that reason."""
    failing = frozenset(signal.service for signal in index.signals if signal.kind in _FAILURES)
    return failing.union(*(index.graph.dependents_of(service) for service in failing))


def find_rise(trend: Trend) -> Rise | None:
    """Find by how much a series rose; None for one that did not."""
    if trend.pulse and trend.pulse.level > trend.pulse.normal:
        return Rise(trend, trend.pulse.normal, trend.pulse.level)
    if trend.before is not None and trend.after is not None and trend.after > trend.before:
        return Rise(trend, trend.before, trend.after)
    return None


def _rises(index: ObservationIndex, metric: str, factor: float, least: float) -> Iterator[Rise]:
    for trend in index.observations.trends:
        rise = find_rise(trend) if trend.metric == metric else None
        if rise and rise.factor >= factor and rise.level - rise.normal >= least:
            yield rise


def _find_slow(index: ObservationIndex) -> Slowness:
    middle: dict[str, Rise] = {}
    tail: dict[str, Rise] = {}
    for rise in _rises(index, "latency", _SLOWER, _FEWEST_MS):
        place = middle if rise.trend.quantile and float(rise.trend.quantile) <= 0.5 else tail
        if rise.trend.service not in place or place[rise.trend.service].level < rise.level:
            place[rise.trend.service] = rise
    return Slowness(middle, tail)


def _overloaded(index: ObservationIndex, slow: Slowness) -> Iterator[Candidate]:
    """Find a service whose CPU rose without more requests, and that is throttled or slower because of it."""
    throttled = {rise.trend.service: rise for rise in _rises(index, "cpu_throttled", _BUSIER, _FEWEST_MILLICORES)}
    requested = {rise.trend.service: rise.factor for rise in _rises(index, "throughput", 1.5, 1.0)}
    for rise in _rises(index, "cpu", _BUSIER, _FEWEST_MILLICORES):
        service = rise.trend.service
        slower = (slow.of(service).signal(service),) if service in slow.all else ()
        throttling = (throttled[service].signal(service),) if service in throttled else ()
        elsewhere = requested.get(service, 1.0) >= rise.factor / 2 or any(s.service == service and s.kind in _WORK for s in index.signals)
        if elsewhere or not (slower or throttling):
            continue
        yield suspect(
            "pod_cpu_overload",
            index.ref(service),
            f"CPU went from {rise.normal:.0f} to {rise.level:.0f} millicores",
            Reason(0.6, "its CPU use rose, and its requests did not", (rise.signal(service),)),
            Reason(0.15, "it was throttled", throttling),
            Reason(0.15, "it became slower", slower),
            explains=index.graph.dependents_of(service),
        )


def _lossy_nodes(index: ObservationIndex, slow: Slowness) -> Iterator[Candidate]:
    """Find the node with pods on it where far more packets are sent again than on any other."""
    hosts = {pod.node for pod in index.observations.pods}
    rises = [rise for rise in _rises(index, "retransmissions", _SLOWER, _LOSSY) if rise.trend.service in hosts]
    rises.sort(key=lambda rise: -rise.level)
    if not rises or not slow.all or (len(rises) > 1 and rises[1].level * 3 > rises[0].level):
        return
    node = rises[0].trend.service
    yield suspect(
        "node_network_packet_loss",
        Ref(kind="Node", name=node),
        f"retransmissions went from {rises[0].normal:.2g} to {rises[0].level:.2g} a second",
        Reason(0.7, "packets are sent again there, and not elsewhere", (rises[0].signal(node),)),
        Reason(0.15, "services became slower", tuple(slow.of(service).signal(node) for service in sorted(slow.all)[:3])),
        explains=slow.all,
    )


def _delayed(index: ObservationIndex, slow: Slowness) -> Iterator[Candidate]:
    """Find the service at the end of the slow calls; the node where several such services run."""
    heads = _deepest(index, frozenset(slow.middle)) or _deepest(index, frozenset(slow.tail))
    nodes = _find_places(index)
    # Of a large system the places of some are not known.
    placed = sorted(service for service in heads if nodes.get(service))
    places = {nodes[service] for service in placed}
    if common := _find_common_caller(index, slow, nodes):
        yield _slow_pod(index, slow, common)
        return
    if len(placed) > 1 and len(places) == 1 and 2 * len(placed) > len(heads):
        node = places.pop()
        cited = tuple(slow.of(service).signal(node) for service in placed[:MOST_NAMED])
        here = frozenset(service for service, place in nodes.items() if place == node)
        because = f"services that do not call one another became slow together, and all of them run there: {list_some(placed)}"
        yield suspect("node_network_delay", Ref(kind="Node", name=node), because, Reason(0.72, because, cited), explains=here | slow.all)
        return
    complaining = {signal.service for signal in index.signals if signal.peer}
    for service in sorted(_follow_tails(index, slow, heads) - complaining, key=lambda name: -slow.of(name).level)[:1]:
        yield _slow_pod(index, slow, service)


def _find_places(index: ObservationIndex) -> dict[str, str]:
    """Find the node of each service. Of a large system not every pod is seen, and workloads name the nodes of theirs, too."""
    named = {service: required.nodes[-1] for service, required in index.requirements.items() if required.nodes}
    return named | {pod.service: pod.node for pod in index.observations.pods if pod.node}


def _slow_pod(index: ObservationIndex, slow: Slowness, service: str) -> Candidate:
    others = tuple(slow.of(other).signal(service) for other in sorted(slow.all & index.graph.dependents_of(service)))
    return suspect(
        "pod_network_delay",
        index.ref(service),
        f"latency went from {slow.of(service).normal:.3g} to {slow.of(service).level:.3g} ms, and its CPU did not rise",
        Reason(0.62, "it became slow, and nothing that it calls is slower on its own", (slow.of(service).signal(service),)),
        Reason(0.1, "those that call it became slower", others[:3]),
        explains=slow.all - {service},
    )


def _find_common_caller(index: ObservationIndex, slow: Slowness, nodes: Mapping[str, str]) -> str:
    """Find a slow service of which nearly all callees are slow at once, on several nodes: they have only their caller in common."""
    for service in sorted(slow.middle, key=lambda name: -slow.middle[name].level):
        calls = index.graph.needs.get(service, frozenset())
        late = calls & slow.all
        spread = {nodes.get(callee, "") for callee in late}
        if len(late) >= _COMMON and len(late) >= _NEARLY_ALL * len(calls) and len(spread) > 1:
            return service
    return ""


def _deepest(index: ObservationIndex, slow: frozenset[str]) -> frozenset[str]:
    """Find the slow services that call no other slow one."""
    return frozenset(service for service in slow if not (index.graph.dependencies_of(service) & slow) - {service})


def _follow_tails(index: ObservationIndex, slow: Slowness, heads: frozenset[str]) -> frozenset[str]:
    """Follow each head to what it calls and what is slow at times; where nearly everything that it calls is, it is itself the cause."""
    found: set[str] = set()
    for head in heads:
        calls = index.graph.needs.get(head, frozenset())
        late = {service for service in calls if service in slow.tail and service not in slow.middle}
        is_common = len(late) >= _COMMON and len(late) * 2 > len(calls)
        found |= {head} if is_common or not late else _deepest(index, frozenset(late))
    return frozenset(found)

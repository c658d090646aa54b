"""The stories: a healthy day, and two days that differ from it only by one change and its consequences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sre_services.scenario.shop import BY_NAME, DAY, NODES, SERVICES, Service, cluster_host, generate_suffix

SHIPPING_ROLLOUT = -41 * 60.0
PAYMENT_ROLLOUT = -14 * 60.0
CATALOG_ROLLOUT = -68 * 60.0


@dataclass(frozen=True)
class Revision:
    """One revision of a service, with its ReplicaSet."""

    service: Service
    number: int
    version: str
    config: Mapping[str, str]
    created: float

    @property
    def replica_set(self) -> str:
        return f"{self.service.name}-{generate_suffix(f'{self.service.name}:{self.number}', 10)}"

    @property
    def config_map(self) -> str:
        return f"{self.service.name}-config-{generate_suffix(f'{self.service.name}:{sorted(self.config.items())}', 10)}"


@dataclass(frozen=True)
class Run:
    """One run of a container. `ended` is None while it runs."""

    started: float
    ended: float | None = None
    reason: str = ""
    exit_code: int = 0
    message: str = ""


@dataclass(frozen=True)
class PodRun:
    """A pod over time: the runs of its container, oldest first, and when it was deleted."""

    revision: Revision
    number: int
    created: float
    runs: tuple[Run, ...]
    removed: float | None = None

    @property
    def service(self) -> Service:
        return self.revision.service

    @property
    def name(self) -> str:
        return f"{self.revision.replica_set}-{generate_suffix(f'{self.revision.replica_set}:{self.number}', 5)}"

    @property
    def node(self) -> str:
        return NODES[(self.number + len(self.service.name)) % len(NODES)]

    def run_at(self, t: float) -> Run | None:
        """Return the run at a time, None between runs."""
        return next((run for run in self.runs if run.started <= t and (run.ended is None or t < run.ended)), None)

    def restarts_at(self, t: float) -> int:
        return sum(1 for run in self.runs[1:] if run.started <= t)

    @property
    def waiting(self) -> bool:
        """True when the container waits for a restart at the end of the recording."""
        return self.runs[-1].ended is not None


def default_config(service: Service) -> dict[str, str]:
    """Return the configuration of a service on a healthy day."""
    values = {"LOG_LEVEL": "info", "HTTP_PORT": "8080"}
    values |= {f"{name.removesuffix('-service').upper()}_URL": f"http://{cluster_host(name)}:8080" for name in service.calls}
    if service.database:
        values |= {"DB_HOST": cluster_host(service.database), "DB_PORT": "5432", "DB_POOL_SIZE": "20"}
    return values


@dataclass(frozen=True)
class Story:
    """A healthy day. The other stories override what differs; times are seconds relative to the end."""

    name: str
    revisions: Mapping[str, tuple[Revision, ...]] = field(default_factory=dict)  # newest last
    pods: tuple[PodRun, ...] = ()

    def error_ratio(self, service: str, t: float) -> float:
        """Return the share of a service's answers with status 5xx."""
        return 0.0004

    def call_failure(self, client: str, server: str, t: float) -> float:
        """Return the share of calls between two services that fail."""
        return 0.0003

    def latency_factor(self, service: str, t: float) -> float:
        """Return the latency of a service, relative to a healthy day."""
        return 1.0

    def work_factor(self, service: str, t: float) -> float:
        """Return the CPU use of a service, relative to a healthy day; waiting uses none."""
        return 1.0

    def traffic_factor(self, service: str, t: float) -> float:
        """Return the traffic of a service, relative to a healthy day."""
        return 1.0

    def memory_share(self, pod: PodRun, t: float) -> float:
        """Return the memory of a pod, relative to a healthy day."""
        return 1.0


class CrashLoop(Story):
    """The payment service can't resolve its database after a change of configuration; services that call it fail."""

    def error_ratio(self, service: str, t: float) -> float:
        if t < PAYMENT_ROLLOUT:
            return super().error_ratio(service, t)
        return {"checkout-service": 0.71, "frontend": 0.09, "payment-service": 0.0}.get(service, 0.0004)

    def call_failure(self, client: str, server: str, t: float) -> float:
        if t < PAYMENT_ROLLOUT:
            return super().call_failure(client, server, t)
        return {"payment-service": 1.0, "checkout-service": 0.71}.get(server, 0.0003)

    def latency_factor(self, service: str, t: float) -> float:
        if t < PAYMENT_ROLLOUT:
            return 1.0
        return {"checkout-service": 11.0, "frontend": 2.3}.get(service, 1.0)

    def work_factor(self, service: str, t: float) -> float:
        # It retries each charge three times.
        return 1.4 if service == "checkout-service" and t >= PAYMENT_ROLLOUT else 1.0

    def traffic_factor(self, service: str, t: float) -> float:
        return 0.0 if service == "payment-service" and t >= PAYMENT_ROLLOUT else 1.0


class MemoryLeak(Story):
    """A new version of the catalog never frees its cache, until the kernel kills it, again and again."""

    def memory_share(self, pod: PodRun, t: float) -> float:
        run = pod.run_at(t)
        if pod.service.name != "catalog-service" or pod.revision.number != 28 or run is None:
            return 1.0
        start, full = 0.8, pod.service.memory_limit_mib / pod.service.memory_mib
        return min(start + (full - start) * (t - run.started) / _run_seconds(pod.number), full)

    def pressure(self, t: float) -> float:
        """Return the highest memory use of the catalog's pods, as a share of the limit."""
        catalog = BY_NAME["catalog-service"]
        shares = [self.memory_share(pod, t) for pod in self.pods if pod.service.name == "catalog-service" and pod.created <= t]
        return max((share * catalog.memory_mib / catalog.memory_limit_mib for share in shares), default=0.0)

    def gap(self, t: float) -> bool:
        """Return True shortly after a kill, while one pod is not ready."""
        ends = [run.ended for pod in self.pods if pod.service.name == "catalog-service" for run in pod.runs if run.ended]
        return any(end <= t < end + 75 for end in ends)

    def latency_factor(self, service: str, t: float) -> float:
        slow = 1 + 9 * max(0.0, self.pressure(t) - 0.7) / 0.3 if t > CATALOG_ROLLOUT else 1.0
        share = {"catalog-service": 1.0, "recommendation-service": 0.6, "frontend": 0.45}.get(service, 0.0)
        return 1 + (slow - 1) * share

    def work_factor(self, service: str, t: float) -> float:
        # Garbage collection uses CPU.
        return math.sqrt(self.latency_factor(service, t)) if service == "catalog-service" else 1.0

    def error_ratio(self, service: str, t: float) -> float:
        if not self.gap(t):
            return super().error_ratio(service, t)
        return {"catalog-service": 0.17, "recommendation-service": 0.08, "frontend": 0.06}.get(service, 0.0004)

    def call_failure(self, client: str, server: str, t: float) -> float:
        return 0.19 if server == "catalog-service" and self.gap(t) else super().call_failure(client, server, t)


def build_stories() -> tuple[Story, ...]:
    """Build the three stories that ship."""
    return (
        _assemble(CrashLoop("crash-loop"), _broken_payments()),
        _assemble(MemoryLeak("memory-leak"), _leaking_catalog()),
        _assemble(Story("healthy"), {}),
    )


def _assemble[S: Story](story: S, changes: Mapping[str, tuple[Revision, tuple[PodRun, ...]]]) -> S:
    """Add all revisions and pods to a story: the unchanged ones, the harmless rollout, and its own change."""
    revisions, pods = {}, []
    for service in SERVICES:
        old = Revision(service, service.revision, service.version, default_config(service), -service.age_days * DAY)
        earlier = replace(old, number=old.number - 1, version=_previous_version(service.version), created=old.created - 8 * DAY)
        changed = changes.get(service.name) or _harmless_rollout(service)
        revisions[service.name] = (earlier, old, changed[0]) if changed else (earlier, old)
        removed = changed[0].created if changed else None
        pods += [_unchanged_pod(old, number, removed) for number in range(service.replicas)]
        pods += changed[1] if changed else ()
    return replace(story, revisions=revisions, pods=tuple(pods))


def _unchanged_pod(revision: Revision, number: int, removed: float | None) -> PodRun:
    started = revision.created + 4 + 9 * number
    runs: tuple[Run, ...] = (Run(started),)
    if revision.service.name == "cart-service" and number == 0:
        # Restarts of six days ago, when its node was patched; they have nothing to do with any incident.
        earlier = (Run(started + day * DAY, started + (day + 1) * DAY, "Unknown", 255) for day in (0, 7, 14))
        runs = (*earlier, Run(started + 15 * DAY))
    return PodRun(revision, number, revision.created + 9 * number, runs, removed)


def _harmless_rollout(service: Service) -> tuple[Revision, tuple[PodRun, ...]] | None:
    if service.name != "shipping-service":
        return None
    revision = Revision(service, service.revision + 1, "1.12.5", default_config(service), SHIPPING_ROLLOUT)
    pods = (PodRun(revision, n, SHIPPING_ROLLOUT + 16 * n, (Run(SHIPPING_ROLLOUT + 16 * n + 4),)) for n in range(service.replicas))
    return revision, tuple(pods)


def _broken_payments() -> dict[str, tuple[Revision, tuple[PodRun, ...]]]:
    service = BY_NAME["payment-service"]
    values = {**default_config(service), "DB_HOST": cluster_host("payments-db-primary")}
    revision = Revision(service, service.revision + 1, service.version, values, PAYMENT_ROLLOUT)
    message = f"FATAL startup: cannot open connection pool: lookup {values['DB_HOST']} on 10.100.0.10:53: no such host (3 attempts)"
    pods = []
    for number in range(service.replicas):
        begin, runs = PAYMENT_ROLLOUT + 34 + number, []
        for pause in (10, 20, 40, 80, 160, 300, 300):
            if begin < -4:
                runs.append(Run(begin, begin + 4, "Error", 1, message))
            begin += 4 + pause + number
        pods.append(PodRun(revision, number, PAYMENT_ROLLOUT + 32, tuple(runs)))
    return {service.name: (revision, tuple(pods))}


def _leaking_catalog() -> dict[str, tuple[Revision, tuple[PodRun, ...]]]:
    service = BY_NAME["catalog-service"]
    revision = Revision(service, service.revision + 1, "2.15.0", default_config(service), CATALOG_ROLLOUT)
    pods = []
    for number in range(service.replicas):
        created, runs = CATALOG_ROLLOUT + 45 * number, []
        begin, pause = created + 5, 2
        while begin + _run_seconds(number) < 0:
            runs.append(Run(begin, begin + _run_seconds(number), "OOMKilled", 137))
            begin, pause = begin + _run_seconds(number) + pause, pause + 8
        pods.append(PodRun(revision, number, created, (*runs, Run(begin))))
    return {service.name: (revision, tuple(pods))}


def _run_seconds(number: int) -> float:
    """Return the seconds until a leaking container is killed; its pods get unequal shares of the traffic."""
    return (19.5 + 2.5 * number) * 60


def _previous_version(version: str) -> str:
    major, minor, _ = version.split(".")
    return f"{major}.{max(int(minor) - 1, 0)}.{math.floor(int(minor) / 4)}"

"""Typed objects of a cluster with their relations, as the backends check them where the data is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sre_agent.evidence import Excerpt


@dataclass(frozen=True, order=True, kw_only=True)
class Ref:
    """The name of an object: a bare name may mean a Service, a Deployment or a pod."""

    kind: str
    namespace: str = ""
    name: str

    def to_json(self) -> dict[str, str]:
        return {"kind": self.kind, **({"namespace": self.namespace} if self.namespace else {}), "name": self.name}


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """A reference that leads nowhere or to something else."""

    relation: str
    message: str
    object: Ref | None = None

    @property
    def has_workload(self) -> bool:
        """Return True for a Service that does not exist and whose workload does."""
        return self.message.endswith("although a workload of this name does")


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A probe of a container: what it asks, where and from when."""

    container: str
    type: str
    handler: str
    port: str
    initial_delay: int
    timeout: int
    period: int


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """The needs of one workload's pods, and those of them that do not match."""

    ref: Ref
    desired: int
    ready: int
    mismatches: tuple[Mismatch, ...]
    calls: tuple[str, ...]
    nodes: tuple[str, ...]
    waiting_pods: tuple[str, ...]
    probes: tuple[Probe, ...]
    ports: tuple[str, ...]
    containers: int
    claims: tuple[str, ...]
    image_pull_secrets: tuple[str, ...]
    source: Excerpt = field(repr=False)

    @property
    def lacks_pods(self) -> bool:
        return self.ready < self.desired


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """A Service: where its selector and its ports lead."""

    ref: Ref
    ports: Mapping[int, str]
    mismatches: tuple[Mismatch, ...]
    pods: tuple[str, ...]
    ready_endpoints: int | None
    source: Excerpt = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim of storage, the pods that use it, and why no volume fits."""

    ref: Ref
    bound: bool
    mismatches: tuple[Mismatch, ...]
    used_by: tuple[Ref, ...]
    source: Excerpt = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Quota:
    """A quota of a namespace: its limits, what is used up, and what may be missing because of it."""

    ref: Ref
    limited: tuple[str, ...]
    exhausted: tuple[str, ...]
    missing_objects: tuple[Ref, ...]
    source: Excerpt = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Component:
    """A component of a node, and if it runs."""

    node: str
    component: str
    running: bool
    state: str
    since: datetime | None
    source: Excerpt = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Job:
    """A Job, the CronJob that made it, and why it failed."""

    ref: Ref
    owner: str
    failed: bool
    reason: str
    message: str
    ended: datetime | None
    source: Excerpt = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A CronJob: how many scheduled runs were missed, and what prevents the next one."""

    ref: Ref
    missed: int
    since: datetime | None
    succeeded: datetime | None
    mismatches: tuple[Mismatch, ...]
    source: Excerpt = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Autoscaler:
    """An autoscaler. `limited` needs more replicas than it may have; without its metrics it does not scale at all."""

    ref: Ref
    target: Ref
    replicas: int
    limited: bool
    unknown_metrics: tuple[str, ...]
    complaints: tuple[str, ...]
    source: Excerpt = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class LimitRange:
    """The limits of a namespace, and the workloads that they refuse."""

    ref: Ref
    mismatches: tuple[Mismatch, ...]
    source: Excerpt = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Route:
    """An Ingress or HTTPRoute, and what it names that does not exist."""

    ref: Ref
    mismatches: tuple[Mismatch, ...]
    source: Excerpt = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Denial:
    """A connection that network policies deny; `policy` is one of them."""

    policy: Ref
    direction: str
    origin: Ref
    destination: Ref
    port: int
    source: Excerpt = field(repr=False)

"""The model of what workloads need: references, nodes that fit, claims and volumes, quotas, and the components of nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sre_services.answer import Camel
from sre_services.kubernetes.model import Mismatch, Observed, Ref


@dataclass(frozen=True, kw_only=True)
class Probe(Camel):
    """A probe of a container as one text: `readiness http-get :8080/healthz delay=5s timeout=1s period=10s`."""

    type: str
    handler: str
    port: str = ""
    path: str = ""
    initial_delay_seconds: int | None = None
    timeout_seconds: int | None = None
    period_seconds: int | None = None
    failure_threshold: int | None = None


@dataclass(frozen=True, kw_only=True)
class DeclaredContainer(Camel):
    """One container of a pod template: what it runs, listens on and needs."""

    name: str
    image: str
    ports: Sequence[str] = ()
    probes: Sequence[Probe] = ()
    requests: Mapping[str, str]
    limits: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Workload(Observed):
    """A Deployment, StatefulSet, DaemonSet or CronJob, with what its pod template refers to and what of that does not match.

    `calls` are the Services that its environment names; `nodes` are those that its pods run on.
    `waiting_pods` have no node; `troubled_pods` are not ready, or were restarted.
    """

    kind: str
    name: str
    namespace: str
    desired: int
    ready: int
    mismatches: Sequence[Mismatch] = ()
    calls: Sequence[str] = ()
    nodes: Sequence[str] = ()
    waiting_pods: Sequence[str] = ()
    troubled_pods: Sequence[str] = ()
    service_account: str = ""
    image_pull_secrets: Sequence[str] = ()
    claims: Sequence[str] = ()
    node_selector: Mapping[str, str]
    tolerations: Sequence[str] = ()
    containers: Sequence[DeclaredContainer] = ()


@dataclass(frozen=True, kw_only=True)
class Claim(Observed):
    """A PersistentVolumeClaim, who uses it, and why no volume fits where it is not bound."""

    name: str
    namespace: str
    phase: str
    mismatches: Sequence[Mismatch] = ()
    request: str = ""
    access_modes: Sequence[str] = ()
    storage_class: str = ""
    selector: Mapping[str, str]
    volume: str = ""
    used_by: Sequence[Ref] = ()


@dataclass(frozen=True, kw_only=True)
class Quota(Observed):
    """A ResourceQuota of a namespace. `exhausted` are the resources of which nothing is left."""

    name: str
    namespace: str
    used: Mapping[str, str]
    hard: Mapping[str, str]
    exhausted: Sequence[str] = ()
    missing_objects: Sequence[Ref] = ()


@dataclass(frozen=True, kw_only=True)
class Component(Observed):
    """A component of a node (kubelet, containerd, kube-proxy, kube-scheduler), and how its state is known."""

    node: str
    component: str
    running: bool
    state: str
    known_from: str
    since: datetime | None = None
    message: str = ""

"""The model of cluster state, in the Kubernetes API's own terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sre_services.answer import Camel


@dataclass(frozen=True, kw_only=True)
class Observed(Camel):
    """An object of a cluster. `cluster` names it where there are several."""

    cluster: str = ""


@dataclass(frozen=True, kw_only=True)
class Condition(Camel):
    """A condition of a pod, deployment or node."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class State(Camel):
    """A container's state: `type` is waiting, running or terminated."""

    type: str
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    signal: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Resources(Camel):
    """Requests and limits as written: `500m`, `512Mi`."""

    requests: Mapping[str, str]
    limits: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Container(Camel):
    """A container of a pod, its declaration and its status together."""

    name: str
    image: str
    ready: bool = False
    restart_count: int = 0
    state: State | None = None
    last_state: State | None = None
    resources: Resources | None = None


@dataclass(frozen=True, kw_only=True)
class Pod(Observed):
    """A pod and the reason why it is or is not ready."""

    name: str
    namespace: str
    phase: str
    reason: str = ""
    message: str = ""
    node: str = ""
    owner: str = ""
    service_account: str = ""
    created_at: datetime | None = None
    conditions: Sequence[Condition] = ()
    init_containers: Sequence[Container] = ()
    containers: Sequence[Container] = ()

    @property
    def ready(self) -> bool:
        """True also for a pod that has finished its work."""
        return self.phase == "Succeeded" or any(c.type == "Ready" and c.status == "True" for c in self.conditions)

    @property
    def restarts(self) -> int:
        return sum(container.restart_count for container in (*self.init_containers, *self.containers))


@dataclass(frozen=True, kw_only=True)
class EnvVar(Camel):
    """An environment variable: its value, or where it comes from. Values that look secret are hidden."""

    name: str
    value: str = ""
    value_from: str = ""


@dataclass(frozen=True, kw_only=True)
class Template(Camel):
    """One container of a deployment's pod template."""

    name: str
    image: str
    resources: Resources
    env: Sequence[EnvVar] = ()
    config_references: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Difference(Camel):
    """One value that changed between two revisions; `before` or `after` is absent where there was none."""

    path: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True, kw_only=True)
class Revision(Camel):
    """A ReplicaSet of a deployment and what changed since the revision before it, as far as recorded."""

    revision: int
    replica_set: str
    created_at: datetime | None
    replicas: int
    ready_replicas: int
    images: Sequence[str] = ()
    change_cause: str = ""
    compared_with: int | None = None
    changes: Sequence[Difference] = ()


@dataclass(frozen=True, kw_only=True)
class Deployment(Observed):
    """A deployment, the progress of its rollout, and its revisions, newest first."""

    name: str
    namespace: str
    created_at: datetime | None
    strategy: str
    desired: int
    updated: int
    ready: int
    available: int
    unavailable: int
    conditions: Sequence[Condition] = ()
    containers: Sequence[Template] = ()
    unknown_hosts: Sequence[str] = ()
    revisions: Sequence[Revision] = ()


@dataclass(frozen=True, kw_only=True)
class Event(Observed):
    """A cluster event; `count` occurrences between the first and the last."""

    last_timestamp: datetime
    type: str
    reason: str
    object: str
    namespace: str
    message: str
    count: int = 1
    first_timestamp: datetime | None = None
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Usage(Observed):
    """The use of one container, with its requests and limits."""

    pod: str
    container: str
    namespace: str
    node: str
    measured_at: datetime | None = None
    cpu_millicores: float | None = None
    cpu_request_millicores: float | None = None
    cpu_limit_millicores: float | None = None
    cpu_percent_of_limit: float | None = None
    memory_bytes: float | None = None
    memory_request_bytes: float | None = None
    memory_limit_bytes: float | None = None
    memory_percent_of_limit: float | None = None


@dataclass(frozen=True, kw_only=True)
class Node(Observed):
    """A node: its conditions, its capacity and its use."""

    name: str
    ready: bool
    unschedulable: bool
    created_at: datetime | None
    kubelet_version: str
    conditions: Sequence[Condition] = ()
    taints: Sequence[str] = ()
    capacity: Mapping[str, str]
    allocatable: Mapping[str, str]
    pods: int = 0
    cpu_millicores: float | None = None
    memory_bytes: float | None = None


@dataclass(frozen=True, kw_only=True, order=True)
class Ref(Camel):
    """The name of an object: a service's name alone may mean a Service, a Deployment or a pod."""

    kind: str
    namespace: str = ""
    name: str


@dataclass(frozen=True, kw_only=True)
class Mismatch(Camel):
    """A reference of an object that leads nowhere or to something else. `object` is the nearest one that may be the intended one."""

    relation: str
    message: str
    object: Ref | None = None


@dataclass(frozen=True, kw_only=True)
class ServicePort(Camel):
    """A port of a Service. `target_port` is the number or the name of a container's port."""

    port: int
    target_port: str
    protocol: str = "TCP"
    name: str = ""
    node_port: int | None = None
    app_protocol: str = ""


@dataclass(frozen=True, kw_only=True)
class Endpoint(Camel):
    """One address behind a Service, and whether it gets requests."""

    address: str
    ready: bool
    ports: Sequence[int] = ()
    pod: str = ""
    node: str = ""


@dataclass(frozen=True, kw_only=True)
class Service(Observed):
    """A Service, the pods that its selector matches, and its endpoints. Counts are absent where no endpoints are known."""

    name: str
    namespace: str
    type: str
    mismatches: Sequence[Mismatch] = ()
    ready_endpoints: int | None = None
    not_ready_endpoints: int | None = None
    selector: Mapping[str, str]
    ports: Sequence[ServicePort] = ()
    pods: Sequence[str] = ()
    endpoints: Sequence[Endpoint] = ()
    cluster_ip: str = ""
    external_name: str = ""

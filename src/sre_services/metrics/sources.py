"""The metrics of Prometheus that measure something, by the names that common exporters, meshes and libraries give them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sre_services.kubernetes.workload_names import workload_name
from sre_services.metrics.model import Measure

_NAMING = ("service", "client", "app", "pod", "job")


@dataclass(frozen=True, kw_only=True)
class Source:
    """One metric of Prometheus and its conversion: `labels` are ours -> Prometheus', `named_by` the labels that name the service."""

    metric: str
    scale: float = 1
    counter: bool = False
    histogram: bool = False
    where: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    named_by: tuple[str, ...] = _NAMING
    per_pod: bool = False
    extreme: str = "max"
    """The function (`…_over_time`) that keeps what matters of a gauge where many samples become one point."""

    def matches(self, metric: Mapping[str, str]) -> bool:
        """Say whether a result's labels are of this metric, and have all labels that are needed."""
        return (
            metric.get("__name__") == self.metric
            and all(metric.get(label) == value for label, value in self.where.items())
            and (self.histogram or all(metric.get(label) for label in self.labels.values()))
        )

    def naming(self, metric: Mapping[str, str]) -> str:
        """Return the label that names the service of a result; empty where none does."""
        return next((label for label in self.named_by if metric.get(label)), "")


def _of_containers(metric: str, *, scale: float = 1, counter: bool = False, where: Mapping[str, str] | None = None) -> Source:
    """Declare a metric of an exporter that knows all pods: its label `service` is that of the exporter."""
    return Source(metric=metric, scale=scale, counter=counter, where=where or {}, named_by=("pod", "service"), per_pod=True)


def _requests(metric: str, code: str, *named_by: str) -> Source:
    return Source(metric=metric, counter=True, labels={"code": code}, named_by=named_by or _NAMING)


def _latency(metric: str, *named_by: str, scale: float = 1000) -> Source:
    return Source(metric=metric, scale=scale, histogram=True, labels={"quantile": "quantile"}, named_by=named_by or _NAMING)


def _calls(metric: str) -> Source:
    return Source(metric=metric, counter=True, labels={"to": "server"})


SOURCES: Mapping[Measure, tuple[Source, ...]] = {
    Measure.REQUESTS_PER_SECOND: (
        _requests("http_requests_total", "code"),
        _requests("http_requests_total", "status"),
        # OpenTelemetry, Spring Boot, Istio
        _requests("http_server_request_duration_seconds_count", "http_response_status_code"),
        _requests("http_server_requests_seconds_count", "status"),
        _requests("istio_requests_total", "response_code", "destination_workload", "destination_service_name"),
    ),
    Measure.LATENCY_MS: (
        Source(metric="http_request_duration_seconds", scale=1000, labels={"quantile": "quantile"}),
        _latency("http_request_duration_seconds_bucket"),
        _latency("http_server_request_duration_seconds_bucket"),
        _latency("http_server_requests_seconds_bucket"),
        _latency("istio_request_duration_milliseconds_bucket", "destination_workload", "destination_service_name", scale=1),
    ),
    Measure.CPU_MILLICORES: (_of_containers("container_cpu_usage_seconds_total", scale=1000, counter=True),),
    Measure.CPU_THROTTLED_MS_PER_SECOND: (_of_containers("container_cpu_cfs_throttled_seconds_total", scale=1000, counter=True),),
    Measure.MEMORY_BYTES: (_of_containers("container_memory_working_set_bytes"),),
    Measure.RESTARTS: (_of_containers("kube_pod_container_status_restarts_total"),),
    Measure.UP: (Source(metric="up", per_pod=True, extreme="min"),),
    Measure.CPU_LIMIT_MILLICORES: (_of_containers("kube_pod_container_resource_limits", scale=1000, where={"resource": "cpu"}),),
    Measure.MEMORY_LIMIT_BYTES: (_of_containers("kube_pod_container_resource_limits", where={"resource": "memory"}),),
    Measure.CALLS_PER_SECOND: (_calls("traces_service_graph_request_total"),),
    Measure.FAILED_CALLS_PER_SECOND: (_calls("traces_service_graph_request_failed_total"),),
    Measure.RETRANSMISSIONS_PER_SECOND: (Source(metric="node_netstat_Tcp_RetransSegs", counter=True, named_by=("node", "instance")),),
}
"""For each measure its sources; of those that know a service, the first counts."""


def service_of(metric: Mapping[str, str], source: Source) -> str:
    """Return the service of a result, from its labels or its pod's name; empty where nothing names one."""
    label = source.naming(metric)
    return workload_name(metric[label]) if label == "pod" else metric.get(label, "")

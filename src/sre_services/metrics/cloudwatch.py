"""The metrics of CloudWatch that measure something: of load balancers, Lambda, API Gateway, and Container Insights (pure).

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Container-Insights-metrics-enhanced-EKS.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sre_services.metrics.model import Measure
from sre_services.timespan import Window

type Dimensions = Mapping[str, str]

# Of one request, of a metric at one period, and of one answer: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
MOST_QUERIES = 500
_POINTS = 240
_SHORTEST_PERIOD = 60
_FIFTEEN_DAYS, _TWO_MONTHS = 15 * 86_400, 63 * 86_400
_PER_SECOND = "Sum"
_PERCENTILES = {"0.5": "p50", "0.95": "p95", "0.99": "p99"}


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric: `service` is the dimension that names the service, `dimensions` all that it has, `pod` the one with the pod."""

    namespace: str
    name: str
    service: str
    dimensions: frozenset[str]
    stat: str = _PER_SECOND
    scale: float = 1.0
    labels: Mapping[str, str] = field(default_factory=dict)
    pod: str = ""
    less: str = ""
    """A metric of the same dimensions that is subtracted: the failed invocations of all."""

    def fits(self, namespace: str, name: str, dimensions: Dimensions) -> bool:
        """Say whether a metric of the account is this one."""
        return (namespace, name, frozenset(dimensions)) == (self.namespace, self.name, self.dimensions)

    def service_of(self, dimensions: Dimensions) -> str:
        """Return the service: of a target group its name, without its kind and its hash."""
        value = dimensions[self.service]
        return value.split("/")[1] if value.startswith("targetgroup/") and value.count("/") == 2 else value

    def is_per_second(self) -> bool:
        """Return True where the sum of a period is divided by its length."""
        return self.stat == _PER_SECOND


def _of_targets(name: str, **changed: object) -> Metric:
    dimensions = frozenset({"LoadBalancer", "TargetGroup"})
    return Metric(namespace="AWS/ApplicationELB", name=name, service="TargetGroup", dimensions=dimensions, **changed)  # type: ignore[arg-type]


def _of_functions(name: str, **changed: object) -> Metric:
    return Metric(namespace="AWS/Lambda", name=name, service="FunctionName", dimensions=frozenset({"FunctionName"}), **changed)  # type: ignore[arg-type]


def _of_apis(name: str, **changed: object) -> Metric:
    return Metric(namespace="AWS/ApiGateway", name=name, service="ApiName", dimensions=frozenset({"ApiName"}), **changed)  # type: ignore[arg-type]


def _of_pods(name: str, stat: str) -> Metric:
    dimensions = frozenset({"ClusterName", "Namespace", "PodName", "FullPodName"})
    return Metric(namespace="ContainerInsights", name=name, service="PodName", pod="FullPodName", dimensions=dimensions, stat=stat)


def _percentiles(make: object, name: str, scale: float = 1.0) -> list[Metric]:
    return [make(name, stat=stat, scale=scale, labels={"quantile": quantile}) for quantile, stat in _PERCENTILES.items()]  # type: ignore[operator]


METRICS: Mapping[Measure, Sequence[Metric]] = {
    Measure.REQUESTS_PER_SECOND: (
        *(_of_targets(f"HTTPCode_Target_{code}_Count", labels={"code": code.lower()}) for code in ("2XX", "3XX", "4XX", "5XX")),
        _of_functions("Invocations", less="Errors", labels={"code": "2xx"}),
        _of_functions("Errors", labels={"code": "5xx"}),
        _of_apis("Count", less="5XXError", labels={"code": "2xx"}),
        _of_apis("5XXError", labels={"code": "5xx"}),
    ),
    Measure.LATENCY_MS: (
        *_percentiles(_of_targets, "TargetResponseTime", 1000),
        *_percentiles(_of_functions, "Duration"),
        *_percentiles(_of_apis, "Latency"),
    ),
    Measure.CPU_MILLICORES: (_of_pods("pod_cpu_usage_total", "Average"),),
    Measure.MEMORY_BYTES: (_of_pods("pod_memory_working_set", "Average"),),
    Measure.RESTARTS: (_of_pods("pod_number_of_container_restarts", "Maximum"),),
    Measure.CPU_LIMIT_MILLICORES: (_of_pods("pod_cpu_limit", "Maximum"),),
    Measure.MEMORY_LIMIT_BYTES: (_of_pods("pod_memory_limit", "Maximum"),),
}
NAMESPACES = tuple(dict.fromkeys(metric.namespace for several in METRICS.values() for metric in several))


def choose_period(window: Window, age_seconds: float) -> int:
    """Choose the seconds of one point: at most a few hundred, and as long as CloudWatch keeps after some weeks."""
    shortest = _SHORTEST_PERIOD if age_seconds < _FIFTEEN_DAYS else 300 if age_seconds < _TWO_MONTHS else 3600
    wanted = window.length.total_seconds() / _POINTS
    return max(shortest, -(-int(wanted) // _SHORTEST_PERIOD) * _SHORTEST_PERIOD)

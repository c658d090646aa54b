"""The story as Prometheus' `query_range` answers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence

from sre_services.scenario.shop import BY_NAME, END, NAMESPACE, RECORDED_SECONDS, SERVICES, Service, seeded_random
from sre_services.scenario.stories import PodRun, Story

STEP = 30
SLOW_STEP = 300
_QUANTILES = {"0.5": 1.0, "0.95": 2.6, "0.99": 4.4}

type Labels = dict[str, str]
type Row = tuple[Labels, list[tuple[int, str]]]


def build_files(story: Story) -> dict[str, str]:
    """Build the files by name; each holds the answer to one query."""
    several = {
        "requests": build_requests(story),
        "latency": build_latency(story),
        "calls": build_calls(story),
        "memory": build_memory(story),
        "cpu": build_cpu(story),
        "restarts": build_restarts(story),
        "up": build_up(story),
        "limits": build_limits(story),
    }
    return {f"metrics/{name}.json": _answer(list(rows)) for name, rows in several.items()}


def build_requests(story: Story) -> Iterator[Row]:
    """Build the counters of requests by status."""
    for service in SERVICES:
        for code in ("200", "404", "500", "503"):

            def answered(t: int, service: Service = service, code: str = code) -> float:
                return _rate(story, service, t) * _share(story, service.name, code, t)

            yield _labels("http_requests_total", service.name) | {"code": code}, _counted(("http", service.name, code), answered)


def build_latency(story: Story) -> Iterator[Row]:
    """Build the latency summaries; they have no value while there is no traffic."""
    for service in SERVICES:
        for quantile, factor in _QUANTILES.items():
            noise = seeded_random(story.name, "latency", service.name, quantile)
            spread = 0.05 if quantile == "0.5" else 0.12
            points = [
                (t, f"{service.p50_ms * factor * _slowdown(story, service.name, quantile, t) * noise.lognormvariate(0, spread) / 1000:.4f}")
                for t in _times()
                if story.traffic_factor(service.name, t) > 0
            ]
            yield _labels("http_request_duration_seconds", service.name) | {"quantile": quantile}, points


def build_calls(story: Story) -> Iterator[Row]:
    """Build the counters of calls between services, from tracing."""
    for client in SERVICES:
        for server in client.calls:
            labels = {"client": client.name, "server": server, "namespace": NAMESPACE}
            rate = min(client.requests_per_second * 0.8, BY_NAME[server].requests_per_second * 0.7)

            def called(t: int, rate: float = rate) -> float:
                return rate

            def failed(t: int, rate: float = rate, client: str = client.name, server: str = server) -> float:
                return rate * story.call_failure(client, server, t)

            key = ("calls", client.name, server)
            yield {"__name__": "traces_service_graph_request_total", **labels}, _counted(key, called)
            yield {"__name__": "traces_service_graph_request_failed_total", **labels}, _counted((*key, "failed"), failed)


def build_memory(story: Story) -> Iterator[Row]:
    """Build the memory of each pod's container while it runs."""
    for pod in _pods_of(story):
        noise = seeded_random(story.name, "memory", pod.name)
        level, limit = pod.service.memory_mib * 2**20, pod.service.memory_limit_mib * 2**20
        running = [t for t in _times() if _exists(pod, t) and pod.run_at(t)]
        points = [(t, str(min(limit, round(level * story.memory_share(pod, t) * noise.gauss(1, 0.012))))) for t in running]
        yield _pod_labels("container_memory_working_set_bytes", pod), points


def build_cpu(story: Story) -> Iterator[Row]:
    """Build the CPU seconds of each pod's container while it runs."""
    for pod in _pods_of(story):
        usual = pod.service.cpu_millicores / 1000

        def used(t: int, pod: PodRun = pod, usual: float = usual) -> float:
            return usual * story.work_factor(pod.service.name, t) if pod.run_at(t) else 0.0

        points = _counted(("cpu", pod.name), used, digits=2)
        yield (
            _pod_labels("container_cpu_usage_seconds_total", pod),
            [point for point in points if _exists(pod, point[0]) and pod.run_at(point[0])],
        )


def build_restarts(story: Story) -> Iterator[Row]:
    """Build the restarts of each container since the creation of its pod."""
    for pod in _pods_of(story):
        points = [(t, str(pod.restarts_at(t))) for t in _times(60) if _exists(pod, t)]
        yield _pod_labels("kube_pod_container_status_restarts_total", pod), points


def build_up(story: Story) -> Iterator[Row]:
    """Build 1 for each pod that answers its scrape, else 0."""
    for pod in _pods_of(story):
        points = [(t, str(int(_answers(pod, t)))) for t in _times(60) if _exists(pod, t)]
        yield _pod_labels("up", pod) | {"job": pod.service.name}, points


def build_limits(story: Story) -> Iterator[Row]:
    """Build the limits of each container."""
    for pod in _pods_of(story):
        for resource, unit, value in (
            ("memory", "byte", pod.service.memory_limit_mib * 2**20),
            ("cpu", "core", pod.service.cpu_millicores * 5 / 1000),
        ):
            labels = _pod_labels("kube_pod_container_resource_limits", pod) | {"resource": resource, "unit": unit}
            yield labels, [(t, str(value)) for t in _times(SLOW_STEP) if _exists(pod, t)]


def _rate(story: Story, service: Service, t: int) -> float:
    return service.requests_per_second * (1 + 0.08 * math.sin(t / 700)) * story.traffic_factor(service.name, t)


def _share(story: Story, service: str, code: str, t: int) -> float:
    errors = story.error_ratio(service, t)
    return {"404": 0.012, "500": errors * 0.25, "503": errors * 0.75}.get(code, 1 - 0.012 - errors)


def _slowdown(story: Story, service: str, quantile: str, t: int) -> float:
    """Return the slowdown at a quantile: half of the requests are hardly slower."""
    factor = story.latency_factor(service, t)
    return 1 + (factor - 1) * 0.3 if quantile == "0.5" else factor


def _counted(key: tuple[str, ...], rate: Callable[[int], float], digits: int = 0) -> list[tuple[int, str]]:
    """Build a counter that grows at `rate` with noise, from some earlier value."""
    noise = seeded_random(*key)
    total, points = noise.uniform(2e3, 6e4), []
    for t in _times():
        total += max(0.0, rate(t) * STEP * noise.gauss(1, 0.05))
        points.append((t, f"{total:.{digits}f}"))
    return points


def _times(step: int = STEP) -> range:
    return range(-RECORDED_SECONDS, 1, step)


def _pods_of(story: Story) -> list[PodRun]:
    return [pod for pod in story.pods if pod.removed is None or pod.removed > -RECORDED_SECONDS]


def _exists(pod: PodRun, t: float) -> bool:
    return pod.created <= t and (pod.removed is None or t < pod.removed)


def _answers(pod: PodRun, t: float) -> bool:
    run = pod.run_at(t)
    return run is not None and t - run.started > 8


def _labels(name: str, service: str) -> Labels:
    return {"__name__": name, "namespace": NAMESPACE, "service": service}


def _pod_labels(name: str, pod: PodRun) -> Labels:
    return _labels(name, pod.service.name) | {"pod": pod.name, "container": pod.service.name.removesuffix("-service")}


def _answer(rows: Sequence[Row]) -> str:
    """Format one series per line, so that one can be found and deleted."""
    end = int(END.timestamp())
    lines = [_compact({"metric": labels, "values": [[end + t, value] for t, value in points]}) for labels, points in rows if points]
    return '{"status":"success","data":{"resultType":"matrix","result":[\n' + ",\n".join(lines) + "\n]}}\n"


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))

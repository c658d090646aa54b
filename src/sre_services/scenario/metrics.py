"""The story as Prometheus' `query_range` answers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence

from sre_services.scenario.shop import BY_NAME, END, NAMESPACE, RECORDED_SECONDS, SERVICES, Service, chance
from sre_services.scenario.stories import PodRun, Story

STEP = 30
SLOW_STEP = 300
_QUANTILES = {"0.5": 1.0, "0.95": 2.6, "0.99": 4.4}

type Labels = dict[str, str]
type Row = tuple[Labels, list[tuple[int, str]]]


def files(story: Story) -> dict[str, str]:
    """File name to text. Each holds the answer to one query."""
    several = {
        "requests": requests(story),
        "latency": latency(story),
        "calls": calls(story),
        "memory": memory(story),
        "cpu": cpu(story),
        "restarts": restarts(story),
        "up": up(story),
        "limits": limits(story),
    }
    return {f"metrics/{name}.json": _answer(list(rows)) for name, rows in several.items()}


def requests(story: Story) -> Iterator[Row]:
    """Requests by status, counted."""
    for service in SERVICES:
        for code in ("200", "404", "500", "503"):

            def answered(t: int, service: Service = service, code: str = code) -> float:
                return _rate(story, service, t) * _share(story, service.name, code, t)

            yield _labels("http_requests_total", service.name) | {"code": code}, _counted(("http", service.name, code), answered)


def latency(story: Story) -> Iterator[Row]:
    """Latency summaries; no value while nothing is asked."""
    for service in SERVICES:
        for quantile, factor in _QUANTILES.items():
            noise = chance(story.name, "latency", service.name, quantile)
            spread = 0.05 if quantile == "0.5" else 0.12
            points = [
                (t, f"{service.p50_ms * factor * _felt(story, service.name, quantile, t) * noise.lognormvariate(0, spread) / 1000:.4f}")
                for t in _times()
                if story.traffic_factor(service.name, t) > 0
            ]
            yield _labels("http_request_duration_seconds", service.name) | {"quantile": quantile}, points


def calls(story: Story) -> Iterator[Row]:
    """Calls between services, as tracing sees them."""
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


def memory(story: Story) -> Iterator[Row]:
    """Memory of each pod's container while it runs."""
    for pod in _seen(story):
        noise = chance(story.name, "memory", pod.name)
        level, limit = pod.service.memory_mib * 2**20, pod.service.memory_limit_mib * 2**20
        running = [t for t in _times() if _there(pod, t) and pod.run_at(t)]
        points = [(t, str(min(limit, round(level * story.memory_share(pod, t) * noise.gauss(1, 0.012))))) for t in running]
        yield _pod_labels("container_memory_working_set_bytes", pod), points


def cpu(story: Story) -> Iterator[Row]:
    """CPU seconds of each pod's container while it runs."""
    for pod in _seen(story):
        usual = pod.service.cpu_millicores / 1000

        def used(t: int, pod: PodRun = pod, usual: float = usual) -> float:
            return usual * story.work_factor(pod.service.name, t) if pod.run_at(t) else 0.0

        points = _counted(("cpu", pod.name), used, digits=2)
        yield (
            _pod_labels("container_cpu_usage_seconds_total", pod),
            [point for point in points if _there(pod, point[0]) and pod.run_at(point[0])],
        )


def restarts(story: Story) -> Iterator[Row]:
    """Restarts of each container since its pod was made."""
    for pod in _seen(story):
        points = [(t, str(pod.restarts_at(t))) for t in _times(60) if _there(pod, t)]
        yield _pod_labels("kube_pod_container_status_restarts_total", pod), points


def up(story: Story) -> Iterator[Row]:
    """Whether each pod answers its scrape."""
    for pod in _seen(story):
        points = [(t, str(int(_answers(pod, t)))) for t in _times(60) if _there(pod, t)]
        yield _pod_labels("up", pod) | {"job": pod.service.name}, points


def limits(story: Story) -> Iterator[Row]:
    """What each container may use."""
    for pod in _seen(story):
        for resource, unit, value in (
            ("memory", "byte", pod.service.memory_limit_mib * 2**20),
            ("cpu", "core", pod.service.cpu_millicores * 5 / 1000),
        ):
            labels = _pod_labels("kube_pod_container_resource_limits", pod) | {"resource": resource, "unit": unit}
            yield labels, [(t, str(value)) for t in _times(SLOW_STEP) if _there(pod, t)]


def _rate(story: Story, service: Service, t: int) -> float:
    return service.requests_per_second * (1 + 0.08 * math.sin(t / 700)) * story.traffic_factor(service.name, t)


def _share(story: Story, service: str, code: str, t: int) -> float:
    errors = story.error_ratio(service, t)
    return {"404": 0.012, "500": errors * 0.25, "503": errors * 0.75}.get(code, 1 - 0.012 - errors)


def _felt(story: Story, service: str, quantile: str, t: int) -> float:
    """Half of the requests hardly notice what the slowest suffer from."""
    factor = story.latency_factor(service, t)
    return 1 + (factor - 1) * 0.3 if quantile == "0.5" else factor


def _counted(key: tuple[str, ...], rate: Callable[[int], float], digits: int = 0) -> list[tuple[int, str]]:
    """A counter that grows at `rate` with noise, from where it had got to before."""
    noise = chance(*key)
    total, points = noise.uniform(2e3, 6e4), []
    for t in _times():
        total += max(0.0, rate(t) * STEP * noise.gauss(1, 0.05))
        points.append((t, f"{total:.{digits}f}"))
    return points


def _times(step: int = STEP) -> range:
    return range(-RECORDED_SECONDS, 1, step)


def _seen(story: Story) -> list[PodRun]:
    return [pod for pod in story.pods if pod.removed is None or pod.removed > -RECORDED_SECONDS]


def _there(pod: PodRun, t: float) -> bool:
    return pod.created <= t and (pod.removed is None or t < pod.removed)


def _answers(pod: PodRun, t: float) -> bool:
    run = pod.run_at(t)
    return run is not None and t - run.started > 8


def _labels(name: str, service: str) -> Labels:
    return {"__name__": name, "namespace": NAMESPACE, "service": service}


def _pod_labels(name: str, pod: PodRun) -> Labels:
    return _labels(name, pod.service.name) | {"pod": pod.name, "container": pod.service.name.removesuffix("-service")}


def _answer(rows: Sequence[Row]) -> str:
    """One line for each series, so that one can be found and deleted."""
    end = int(END.timestamp())
    lines = [_compact({"metric": labels, "values": [[end + t, value] for t, value in points]}) for labels, points in rows if points]
    return '{"status":"success","data":{"resultType":"matrix","result":[\n' + ",\n".join(lines) + "\n]}}\n"


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))

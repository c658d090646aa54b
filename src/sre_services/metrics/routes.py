"""The operations on metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from sre_services.answer import Answer, render_answer
from sre_services.metrics import views
from sre_services.metrics.availability import measure_availability
from sre_services.metrics.errors import list_calls, measure_error_rates
from sre_services.metrics.model import MetricStore
from sre_services.parameters import CONTINUES, EndTime, Operation, Service, StartTime, TimeWindow, accept_any_case, match_names
from sre_services.timespan import Moment, Span, Window


async def _store(request: Request) -> MetricStore:
    found: MetricStore = request.app.state.provider
    return found


Provider = Annotated[MetricStore, Depends(_store)]
MetricType = Annotated[
    Literal["all", "latency", "throughput"],
    accept_any_case("all", "latency", "throughput"),
    Query(description="Latency percentiles, requests per second, or both."),
]
ResourceType = Annotated[
    Literal["all", "cpu", "memory", "restarts"],
    accept_any_case("all", "cpu", "memory", "restarts"),
    Query(description="CPU, memory, container restarts, or all of them."),
]
MetricName = Annotated[
    Literal["all", "latency", "error_rate", "throughput", "cpu", "memory", "restarts"],
    accept_any_case("all", "latency", "error_rate", "throughput", "cpu", "memory", "restarts"),
    Query(description="The metric to analyse; 'latency' is the 95th percentile."),
]
Threshold = Annotated[float, Query(ge=1, le=100, description="Standard deviations from which a point or a change counts; 3 is usual.")]

router = APIRouter(route_class=Operation, dependencies=CONTINUES)


@router.get("/metrics/performance", operation_id="get_performance_metrics", summary="Latency percentiles and throughput of services")
def get_performance_metrics(
    store: Provider,
    metric_type: MetricType = "all",
    start_time: StartTime = Moment("1h"),  # noqa: B008 - immutable, here and below
    end_time: EndTime = Moment("now"),  # noqa: B008
    service: Service = "",
) -> Response:
    """For each service the 50th, 95th and 99th percentile of latency in milliseconds and requests per second: mean, min, max
    with its time, first and last value. Points over time are added when one service is asked for."""
    window = Window.between(start_time.at(store.as_of), end_time.at(store.as_of), store.as_of)
    services = match_names(store.services(), service)
    items = views.summarize_performance(store, window, services, metric_type)
    return render_answer(_answer(store, window, items, service))


@router.get("/metrics/errors", operation_id="get_error_rates", summary="Error rates of services and of the calls between them")
def get_error_rates(store: Provider, time_window: TimeWindow = Span("30m"), service: Service = "") -> Response:  # noqa: B008
    """For each service requests per second, percent of answers with status 5xx in this window and in the equally long one
    before, its peak, rates by status code, and the services it calls with the percent of calls that failed. Worst first."""
    window = time_window.until(store.as_of)
    items = measure_error_rates(store, window, match_names(store.services(), service))
    summary = {"services": len(items), "above_1_percent": [item.service for item in items if item.error_percent > 1]}
    return render_answer(_answer(store, window, items, service, summary))


@router.get("/metrics/resources", operation_id="get_resource_metrics", summary="CPU, memory and restarts of pods over time")
def get_resource_metrics(
    store: Provider,
    resource_type: ResourceType = "all",
    service: Service = "",
    time_window: TimeWindow = Span("1h"),  # noqa: B008
) -> Response:
    """For each pod CPU in millicores, memory in bytes and restarts: mean, min, max with its time, first and last value, the
    limit and how close it came. Points over time are added when one service is asked for."""
    window = time_window.until(store.as_of)
    items = views.summarize_resources(store, window, match_names(store.services(), service), resource_type)
    return render_answer(_answer(store, window, items, service))


@router.get("/metrics/availability", operation_id="get_availability_metrics", summary="Availability of services")
def get_availability_metrics(store: Provider, service: Service = "", time_window: TimeWindow = Span("1h")) -> Response:  # noqa: B008
    """For each service the percent of successful answers, minutes with more than 5 % errors, percent of time its replicas
    were up, and how many are up now. Worst first."""
    window = time_window.until(store.as_of)
    items = measure_availability(store, window, match_names(store.services(), service))
    return render_answer(_answer(store, window, items, service))


@router.get("/metrics/trends", operation_id="analyze_trends", summary="Rises, falls, jumps and outliers in metrics")
def analyze_trends(
    store: Provider,
    metric_name: MetricName = "all",
    service: Service = "",
    time_window: TimeWindow = Span("1h"),  # noqa: B008
    anomaly_threshold: Threshold = 3.0,
) -> Response:
    """Series that are not steady, the most striking first: direction, slope per hour, change point with the level before and
    after, drops, outliers, and a pulse: a level that came and went. Latencies are of every percentile that is measured. Steady
    series are only counted, unless one service is asked for."""
    window = time_window.until(store.as_of)
    found = views.analyze_trends(store, window, match_names(store.services(), service), metric_name, anomaly_threshold)
    notable = [trend for trend in found if service or trend.notable]
    summary = {"series": len(found), "steady": sum(not trend.notable for trend in found)}
    answer = _answer(store, window, notable, service, summary)
    return render_answer(replace(answer, note="Every series is steady.") if found and not notable else answer)


@router.get("/metrics/calls", operation_id="get_service_graph", summary="Which service calls which")
def get_service_graph(store: Provider, service: Service = "", time_window: TimeWindow = Span("1h")) -> Response:  # noqa: B008
    """Return the services that each service calls, by traces or requests, with rate and share of failures where these are measured."""
    window = time_window.until(store.as_of)
    found = list_calls(store, window, match_names(store.services(), service))
    return render_answer(_answer(store, window, found, service, {"services": len(found), "calls": sum(len(item.calls) for item in found)}))


def _answer(
    store: MetricStore, window: Window, items: Sequence[object], service: str, summary: Mapping[str, object] | None = None
) -> Answer:
    note = "" if items else views.describe_no_series(store, service)
    more = "Give service for one service at a time, or a shorter window."
    return Answer(
        as_of=store.as_of, items=items, summary=summary or {"series": len(items)}, window=window, note=note, more=lambda kept: more
    )

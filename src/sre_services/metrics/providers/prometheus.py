"""Metrics of any system with Prometheus' HTTP API: Prometheus, Thanos, Mimir, VictoriaMetrics, Amazon Managed Service for Prometheus.

API: https://prometheus.io/docs/prometheus/latest/querying/api/
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sre_core import clock
from sre_core.problem import Problem, Refused
from sre_services.metrics.merging import merge_series
from sre_services.metrics.model import Measure, Series
from sre_services.metrics.prometheus import make_series, read_results
from sre_services.metrics.queries import Query, plan_queries, quote_label
from sre_services.metrics.sources import SOURCES, Source, service_of
from sre_services.sources.background import wait_for
from sre_services.sources.client import SourceClient, open_client
from sre_services.sources.failures import not_understood
from sre_services.sources.settings import Settings
from sre_services.timespan import Window

type Labels = Mapping[str, str]

_NAMES = tuple(sorted({source.metric for several in SOURCES.values() for source in several}))
_KNOWN_SECONDS = 30.0
AMP = "amp"
_RECENT = timedelta(hours=6)
# cAdvisor has one series of the whole pod besides those of its containers, and one of the container that holds its network.
_NO_CONTAINERS = ("", "POD")


@dataclass(frozen=True)
class Allowed:
    """The rights that a Prometheus must grant, in its operator's terms."""

    query: str = "queries"
    series: str = "the list of series"


class Prometheus:
    """Asks for the series of the asked services only. Which series there are is remembered for half a minute."""

    def __init__(self, client: SourceClient, matchers: Sequence[str], allowed: Allowed) -> None:
        self._client = client
        self._matchers = matchers
        self._allowed = allowed
        self._known: dict[tuple[int, int], tuple[float, dict[str, list[Labels]]]] = {}

    @property
    def as_of(self) -> datetime:
        return clock.now()

    def services(self) -> tuple[str, ...]:
        known = wait_for(self._find_series(Window(self.as_of - _RECENT, self.as_of)))
        found = {service_of(labels, source) for source in _all_sources() for labels in known.get(source.metric, ())}
        return tuple(sorted(found - {""}))

    def series(self, measure: Measure, window: Window, services: Sequence[str]) -> list[Series]:
        found = wait_for(self._series(measure, window, frozenset(services)))
        parts = (series.within(window) for series in found)
        return [part for part in parts if part.times]

    def check(self) -> Problem | None:
        """Explain why it can't be read; None where it can."""
        nothing = {"match[]": '{__name__="nothing"}', "start": "0", "end": "1"}
        try:
            wait_for(self._client.get_json("/api/v1/query", {"query": "vector(1)"}, permission=self._allowed.query))
            wait_for(self._client.get_json("/api/v1/series", nothing, permission=self._allowed.series))
        except Refused as refused:
            return refused.problems[0]
        return None

    async def _series(self, measure: Measure, window: Window, services: frozenset[str]) -> list[Series]:
        known = await self._find_series(window)
        left, queries = set(services), list[Query]()
        for source in SOURCES[measure]:
            labels = _of_source(source, known)
            queries += plan_queries(source, labels, left, window)
            # A service that has a better source is not counted a second time by another one.
            left -= {service_of(each, source) for each in labels}
        answers = await asyncio.gather(*(self._ask(query) for query in queries))
        several = [series for found in answers for series in found if series.service in services]
        merged = several if measure is Measure.UP else merge_series(several)
        return sorted(merged, key=lambda series: (series.service, series.pod, *sorted(series.labels.items())))

    async def _ask(self, query: Query) -> list[Series]:
        parameters = {**query.parameters, "query": query.parameters["query"].replace("{", "{" + self._matchers_text(), 1)}
        document = await self._client.get_json(f"/api/v1/{query.path}", parameters, permission=self._allowed.query)
        try:
            return list(_read(query, read_results(document)))
        except (KeyError, TypeError, ValueError, AttributeError) as fault:
            raise Refused(not_understood(self._client.name, self._client.url, f"It is no answer of Prometheus' API: {fault}.")) from None

    async def _find_series(self, window: Window) -> dict[str, list[Labels]]:
        """Find the label sets of all metrics that measure something in a window, by metric."""
        key = (int(window.start.timestamp()) // 60, int(window.end.timestamp()) // 60)
        kept = self._known.get(key)
        if kept and kept[0] > time.monotonic():
            return kept[1]
        match = f"{{{self._matchers_text()}{quote_label('__name__', '=~', '|'.join(_NAMES))}}}"
        parameters = {"match[]": match, "start": f"{window.start.timestamp():.3f}", "end": f"{window.end.timestamp():.3f}"}
        document = await self._client.get_json("/api/v1/series", parameters, permission=self._allowed.series)
        found = _by_metric(document["data"])
        self._known = {key: (time.monotonic() + _KNOWN_SECONDS, found), **dict(list(self._known.items())[:7])}
        return found

    def _matchers_text(self) -> str:
        return "".join(f"{matcher}," for matcher in self._matchers)


def open_provider(settings: Settings) -> Prometheus:
    """Open the Prometheus at `url`; `namespace` limits it to one namespace of Kubernetes."""
    namespace = settings.get("namespace")
    allowed = Allowed("aps:QueryMetrics", "aps:GetSeries") if settings.source == AMP else Allowed()
    return Prometheus(_open_client(settings), [quote_label("namespace", "=", namespace)] if namespace else [], allowed)


def _open_client(settings: Settings) -> SourceClient:
    if settings.source != AMP:
        return open_client(settings, "Prometheus")
    # Importing boto3 takes long.
    from sre_services.sources.aws import region_of
    from sre_services.sources.signed import SignedRequests

    return open_client(settings, "Amazon Managed Service for Prometheus", SignedRequests("aps", region_of(settings), settings))


def _all_sources() -> Iterator[Source]:
    return (source for several in SOURCES.values() for source in several)


def _by_metric(found: Sequence[Labels]) -> dict[str, list[Labels]]:
    by_metric: dict[str, list[Labels]] = {}
    for labels in found:
        by_metric.setdefault(labels["__name__"], []).append(labels)
    return by_metric


def _of_source(source: Source, known: Mapping[str, Sequence[Labels]]) -> list[Labels]:
    return [labels for labels in known.get(source.metric, ()) if source.matches(labels)]


def _read(query: Query, results: Sequence[Mapping[str, object]]) -> Iterator[Series]:
    """Read the series of an answer. What Prometheus computed has lost its name."""
    found = [_complete(query, result) for result in results]
    for result in _only_containers(found) if query.source.per_pod else found:
        if query.source.matches(result["metric"]):
            yield make_series(result, query.source, is_rate=not query.is_raw)


def _complete(query: Query, result: Mapping[str, object]) -> dict[str, Labels]:
    quantile = {"quantile": query.quantile} if query.quantile else {}
    metric: Labels = {"__name__": query.source.metric, **result["metric"], **query.source.where, **quantile}  # type: ignore[dict-item]
    return {**result, "metric": metric}  # type: ignore[dict-item]


def _only_containers(found: list[dict[str, Labels]]) -> list[dict[str, Labels]]:
    """Leave out the sum of a pod where its containers are there, too."""
    detailed = {result["metric"].get("pod") for result in found if result["metric"].get("container", "") not in _NO_CONTAINERS}
    return [
        result
        for result in found
        if result["metric"].get("container", "") not in _NO_CONTAINERS or result["metric"].get("pod") not in detailed
    ]

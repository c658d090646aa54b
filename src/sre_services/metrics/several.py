"""Metrics of several sources as one: of those that measure the same of a service, the first counts, so that nothing is added up twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sre_services.metrics.model import Measure, MetricStore, Series
from sre_services.sources.several import Named, Several
from sre_services.timespan import Window


class SeveralMetrics(Several[MetricStore]):
    """A MetricStore over the sources, in the order in which they are configured."""

    @property
    def as_of(self) -> datetime:
        return max(each.provider.as_of for each in self.sources)

    def services(self) -> list[str]:
        return sorted({service for _, found in self.ask(lambda store: store.services()) for service in found})

    def series(self, measure: Measure, window: Window, services: Sequence[str]) -> list[Series]:
        answered: dict[str, str] = {}
        kept: list[Series] = []
        for name, found in self.ask(lambda store: store.series(measure, window, services)):
            first = [series for series in found if answered.setdefault(series.service, name) == name]
            kept += [replace(series, source=name) for series in first] if name else first
        return kept


def join_sources(sources: Sequence[Named[MetricStore]]) -> SeveralMetrics:
    """Join the sources of metrics."""
    return SeveralMetrics(sources)

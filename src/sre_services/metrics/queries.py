"""Queries in PromQL: only the series of the services that are asked for, and only as many points as an answer needs (pure)."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sre_services.metrics.sources import Source, service_of
from sre_services.timespan import Window

# The rate of a counter at the first point of a window needs the sample before it.
LOOKBACK_SECONDS = 300
MOST_SAMPLES = 400_000
_SCRAPED_SECONDS = 15
_POINTS = 240
_SHORTEST_STEP = 60
# A rate needs several samples; Prometheus' default interval is a minute.
_SHORTEST_RATE = 240
QUANTILES = ("0.5", "0.95", "0.99")


@dataclass(frozen=True)
class Query:
    """One request: `path` and `parameters`, and what its result means."""

    path: str
    parameters: Mapping[str, str]
    source: Source
    quantile: str = ""

    @property
    def is_raw(self) -> bool:
        """True where the result has the samples as they were scraped."""
        return self.path == "query"


def plan_queries(source: Source, known: Sequence[Mapping[str, str]], services: Collection[str], window: Window) -> list[Query]:
    """Plan the requests for the series of `services` in `window`, out of the label sets that are known of this source's metric."""
    wanted = [metric for metric in known if service_of(metric, source) in services]
    selectors = list(_selectors(source, wanted, all_of=len(wanted) == len(known)))
    if source.histogram:
        return [_quantile(source, selector, quantile, window) for selector in selectors for quantile in QUANTILES]
    samples = len(wanted) * window.length.total_seconds() / _SCRAPED_SECONDS
    make = _samples if samples <= MOST_SAMPLES else _points
    return [make(source, selector, window) for selector in selectors]


def quote_label(label: str, operator: str, value: str) -> str:
    """Write one label matcher."""
    return f"{label}{operator}{json.dumps(value, ensure_ascii=False)}"


def _selectors(source: Source, wanted: Sequence[Mapping[str, str]], *, all_of: bool) -> Iterator[str]:
    """Write a selector for each label that names services: by names, or of all where all are asked for."""
    where = [quote_label(label, "=", value) for label, value in source.where.items()]
    if all_of and wanted:
        yield f"{source.metric}{{{','.join(where)}}}"
        return
    named: dict[str, set[str]] = defaultdict(set)
    for metric in wanted:
        named[source.naming(metric)].add(metric[source.naming(metric)])
    for label, values in named.items():
        names = quote_label(label, "=~", "|".join(re.escape(value) for value in sorted(values)))
        yield f"{source.metric}{{{','.join([names, *where])}}}"


def _samples(source: Source, selector: str, window: Window) -> Query:
    """Ask for the samples as they were scraped."""
    seconds = int(window.length.total_seconds()) + LOOKBACK_SECONDS
    return Query("query", {"query": f"{selector}[{seconds}s]", "time": f"{window.end.timestamp():.3f}"}, source)


def _points(source: Source, selector: str, window: Window) -> Query:
    """Ask for a point of every few minutes: the rate of a counter, the extreme of a gauge."""
    step = _step(window)
    over = max(step, _SHORTEST_RATE)
    by = ", ".join(dict.fromkeys([*source.named_by, *source.labels.values(), *(["pod", "container"] if source.per_pod else [])]))
    text = f"sum by ({by}) (rate({selector}[{over}s]))" if source.counter else f"{source.extreme}_over_time({selector}[{step}s])"
    return Query("query_range", _range(text, window, step), source)


def _quantile(source: Source, selector: str, quantile: str, window: Window) -> Query:
    """Ask for a quantile of a histogram, of all pods of a service together."""
    step = _step(window)
    by = ", ".join(("le", *(label for label in source.named_by if label != "pod")))
    text = f"histogram_quantile({quantile}, sum by ({by}) (rate({selector}[{max(step, _SHORTEST_RATE)}s])))"
    return Query("query_range", _range(text, window, step), source, quantile)


def _step(window: Window) -> int:
    return max(_SHORTEST_STEP, int(window.length.total_seconds()) // _POINTS)


def _range(text: str, window: Window, step: int) -> dict[str, str]:
    """Ask for points up to the exact end of the window: the newest matter most. Without `nocache`, VictoriaMetrics rounds the end down."""
    end = window.end.timestamp()
    start = end - int(window.length.total_seconds() // step) * step
    return {"query": text, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": str(step), "nocache": "1"}

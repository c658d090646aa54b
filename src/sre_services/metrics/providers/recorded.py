"""Recorded metrics: Prometheus `query_range` answers in `metrics/*.json`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sre_core.problem import Refused
from sre_services.metrics import prometheus
from sre_services.metrics.model import Measure, Series
from sre_services.recording import Recording, damaged_file_problem, find_line, read_each, read_text, recording_from
from sre_services.sources.settings import Settings
from sre_services.timespan import Window


class Recorded:
    """Holds the series of the whole recording."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._series: dict[Measure, list[Series]] = defaultdict(list)
        read_each(recording.files("metrics/*.json"), self._read)

    @property
    def as_of(self) -> datetime:
        return self._recording.as_of

    def services(self) -> tuple[str, ...]:
        return tuple(sorted({found.service for several in self._series.values() for found in several}))

    def series(self, measure: Measure, window: Window, services: Sequence[str]) -> list[Series]:
        wanted = frozenset(services)
        parts = (found.within(window) for found in self._series[measure] if found.service in wanted)
        return [part for part in parts if part.times]

    def _read(self, path: Path) -> None:
        done = 0
        try:
            for result in prometheus.read_results(self._recording.json(f"metrics/{path.name}")):
                self._add(result)
                done += 1
        except (KeyError, TypeError, ValueError, AttributeError) as fault:
            line = find_line(read_text(path), "result", done)
            raise Refused(damaged_file_problem(path, f"It is not an answer of Prometheus' query_range: {fault}.", line)) from None

    def _add(self, result: Mapping[str, Any]) -> None:
        shift = self._recording.shift.total_seconds()
        for measure in Measure:
            series = prometheus.parse_series(result, measure, lambda time: time + shift)
            self._series[measure] += [series] if series else []


def open_provider(settings: Settings) -> Recorded:
    """Read the metrics of the recording that SRE_RECORDING names."""
    return Recorded(recording_from(settings.environment))

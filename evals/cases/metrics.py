"""The metrics of a case, as a recording's answers of Prometheus."""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from evals.cases.case import Case

type Points = list[tuple[float, float]]
type Measured = dict[tuple[str, str], Points]

_COLUMN = re.compile(
    r"(.+)-(cpu|mem|cpu_cfs|rps|success_rate|network_receive|network_transmit|p50latency|p90latency|p95latency|p99latency|tcp_retans)"
)
_NUMBERS = r"Normal=([\d.]+)\D*?-> Cur(?:rent)?=([\d.]+)"
# What an alert's evidence says, with the column that it would be.
_EVIDENCE = {
    "cpu": rf"cpu core\] \| {_NUMBERS}",
    "p50latency": rf"p50latency: {_NUMBERS}",
    "p90latency": rf"p90latency: {_NUMBERS}",
    "p95latency": rf"p95latency: {_NUMBERS}",
    "rps": rf"RPS\] \| {_NUMBERS}",
    "tcp_retans": rf"TCP Retransmission\] \| {_NUMBERS}",
}
_STEP = 10.0
_QUANTILES = {"p50latency": "0.5", "p90latency": "0.9", "p95latency": "0.95", "p99latency": "0.99"}


@dataclass(frozen=True)
class Names:
    """The pod of each service, and the nodes."""

    namespace: str
    pods: dict[str, str]
    nodes: set[str]


def write_metrics(case: Case, folder: Path, names: Names, end: datetime) -> None:
    """Write the measured series, or those that alerts tell of, and who calls whom."""
    folder.mkdir(parents=True, exist_ok=True)
    measured = _read_csv(case) or dict(_read_alerts(case, end))
    results: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for name, column in sorted(measured):
        for file, labels, values, counter in _series(name, column, measured, names):
            results[file].append({"metric": labels, "values": _values(values, counter=counter)})
    for service, callees in case.dependencies():
        for callee in callees:
            labels = {"__name__": "traces_service_graph_request_total", "client": service, "server": callee, "namespace": case.namespace}
            times = [end.timestamp() - 120, end.timestamp() - 60, end.timestamp()]
            results["calls"].append({"metric": labels, "values": [[time, "1"] for time in times]})
    for file, found in results.items():
        document = {"status": "success", "data": {"resultType": "matrix", "result": found}}
        (folder / f"{file}.json").write_text(json.dumps(document), encoding="utf-8")


def _read_csv(case: Case) -> Measured:
    path = case.folder / "raw_data" / "metrics.csv"
    measured: Measured = defaultdict(list)
    if not path.is_file():
        return measured
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            time = datetime.strptime(row["time"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=case.zone).timestamp()
            for column, value in row.items():
                if value and (found := _COLUMN.fullmatch(column or "")):
                    measured[found[1], found[2]].append((time, float(value)))
    return measured


def _read_alerts(case: Case, end: datetime) -> Measured:
    """Read `Normal=4.85ms -> Current=70.04ms` as five minutes at the first level and two at the second."""
    measured: Measured = defaultdict(list)
    for alert in case.alerts():
        for text in alert.get("evidence", ()):
            for column, pattern in _EVIDENCE.items():
                if (found := re.search(pattern, str(text))) and "name" in alert:
                    levels = [float(found[1])] * 30 + [float(found[2])] * 12
                    start = end.timestamp() - _STEP * len(levels)
                    measured[str(alert["name"]), column] = [(start + _STEP * number, level) for number, level in enumerate(levels)]
    return measured


def _series(name: str, column: str, measured: Measured, names: Names) -> Iterator[tuple[str, dict[str, str], Points, bool]]:
    """Yield the file, labels and points of the Prometheus series that a column is, and if it is a counter."""
    points = measured[name, column]
    if name in names.nodes:
        if column == "tcp_retans":
            yield "nodes", {"__name__": "node_netstat_Tcp_RetransSegs", "node": name}, points, True
        return
    base = {"namespace": names.namespace, "service": name}
    pod = base | {"pod": names.pods.get(name, f"{name}-0"), "container": "main"}
    if column == "cpu":
        yield "cpu", pod | {"__name__": "container_cpu_usage_seconds_total"}, points, True
    elif column == "cpu_cfs":
        yield "throttled", pod | {"__name__": "container_cpu_cfs_throttled_seconds_total"}, points, True
    elif column == "mem":
        yield "memory", pod | {"__name__": "container_memory_working_set_bytes"}, points, False
    elif column == "rps":
        good = dict(measured.get((name, "success_rate"), []))
        requests = base | {"__name__": "http_requests_total"}
        yield "requests", requests | {"code": "200"}, [(time, value * good.get(time, 1.0)) for time, value in points], True
        yield "requests", requests | {"code": "500"}, [(time, value * (1 - good.get(time, 1.0))) for time, value in points], True
    elif column in _QUANTILES:
        latency = base | {"__name__": "http_request_duration_seconds", "quantile": _QUANTILES[column]}
        yield "latency", latency, [(time, value / 1000) for time, value in points], False


def _values(points: Points, *, counter: bool) -> list[list[object]]:
    if not counter:
        return [[time, f"{value:.6f}"] for time, value in sorted(points)]
    values: list[list[object]] = []
    total, before = 1000.0, 0.0
    for time, value in sorted(points):
        total += value * (time - before) if before else 0.0
        values.append([time, f"{total:.6f}"])
        before = time
    return values

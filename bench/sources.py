"""How long the backends take for large systems: ten thousand pods, ten million log lines, ten thousand series of a day."""

from __future__ import annotations

import asyncio
import copy
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
from evals.recorded_tools import RecordedTools

from bench.measure import Measured, medians
from sre_services.logs.model import LogFilter
from sre_services.logs.pattern import Pattern
from sre_services.logs.providers.files import LogFiles
from sre_services.metrics.model import Series
from sre_services.metrics.trends import analyze_series
from sre_services.recording import SHIPPED
from sre_services.timespan import Window

PODS, LINES, SERIES, POINTS = 10_000, 10_000_000, 10_000, 1_440
PEER = "aws --version"
# Of the peer's third of a second: one second for pods and for a search, five for the series.
_SECOND, _FIVE_SECONDS = 3.0, 15.0
_START = datetime(2026, 11, 28, tzinfo=UTC)
_TEXTS = ("GET /cart 200", "POST /orders 201", "cache revalidated", "expired 15 abandoned carts", "batch acknowledged by acquirer")
_ROUNDS = 3
_SEARCHES = {"literal": "declined by acquirer", "regex": r"declined.*code=E\d+"}


def measure() -> list[Measured]:
    """Measure each against the peer; the memory that it took is printed."""
    (peer,) = medians([[str(Path(sys.executable).parent / "aws"), "--version"]], rounds=3)
    with tempfile.TemporaryDirectory() as folder:
        pods = _time_pods(Path(folder) / "cluster")
        searches = _measure_searches(Path(folder) / "logs", peer)
    scanned = _time(_scan)
    print(f"most memory that the backends took, together with what made their data: {_memory()} MiB")
    return [
        Measured(f"{PODS:,} pods summarised", pods, PEER, peer, _SECOND),
        *searches,
        Measured(f"{SERIES:,} series of {POINTS:,} points", scanned, PEER, peer, _FIVE_SECONDS),
    ]


def _time(work: Callable[[], object]) -> float:
    """Return the shortest of a few rounds, so that caches are warm."""
    taken = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken)


def _time_pods(folder: Path) -> float:
    """Time the state of all pods, over a recording with many more of them."""
    shutil.copytree(SHIPPED / "healthy", folder)
    file = folder / "kubernetes" / "pods.json"
    listed = json.loads(file.read_text(encoding="utf-8"))
    made = [copy.deepcopy(listed["items"][number % len(listed["items"])]) for number in range(PODS)]
    for number, pod in enumerate(made):
        pod["metadata"]["name"] += f"-{number}"
    file.write_text(json.dumps({**listed, "items": made}), encoding="utf-8")
    tools = RecordedTools(str(folder))
    return _time(lambda: asyncio.run(tools.call("get_pod_status")))


def _measure_searches(folder: Path, peer: float) -> list[Measured]:
    """Measure searches through the whole of one file: against ripgrep on the same file where there is one, else against the peer."""
    folder.mkdir()
    path = folder / "shop.log"
    with path.open("w", encoding="utf-8") as file:
        file.writelines(map(_make_line, range(LINES)))
    # A whole search, however busy the machine is.
    store, window = LogFiles(folder, search_seconds=60.0), Window(_START - timedelta(days=1), _START + timedelta(days=3))
    # Searched as a request does: nothing is remembered from the round before.
    store.REMEMBERED_SECONDS = 0.0  # type: ignore[misc]
    measured = []
    for kind, text in _SEARCHES.items():
        ours = _take_time(partial(store.records, LogFilter(window=window, pattern=Pattern(text))))
        # Ours finds records, whatever the case of their letters.
        other = _take_time(partial(_run, ["rg", "--ignore-case", "--count", text, str(path)])) if shutil.which("rg") else None
        name, seconds, budget = ("rg", other.seconds, 2.0) if other else (PEER, peer, _SECOND)
        measured.append(Measured(f"{LINES:,} log lines searched, {kind}", ours.seconds, name, seconds, budget))
        if other:
            print(f"processor time of the same, {kind}: {ours.processor:.2f} s, {ours.processor / other.processor:.2f} x rg")
    return measured


@dataclass(frozen=True)
class _Taken:
    """The shortest time of a few rounds, and the least time of processors, which other programs on the machine don't lengthen."""

    seconds: float
    processor: float


def _take_time(work: Callable[[], object]) -> _Taken:
    seconds, processor = [], []
    for _ in range(_ROUNDS):
        started, before = time.perf_counter(), _processor_time()
        work()
        seconds.append(time.perf_counter() - started)
        processor.append(_processor_time() - before)
    return _Taken(min(seconds), min(processor))


def _processor_time() -> float:
    """Return the time that this process and those that it waited for had a processor."""
    taken = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in taken)


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, capture_output=True, check=True)


def _make_line(number: int) -> str:
    level = "ERROR" if number % 200_003 == 7 else "INFO "
    text = "payment declined by acquirer code=E4711" if number % 1_000_003 == 11 else _TEXTS[number % len(_TEXTS)]
    moment = (_START + timedelta(milliseconds=8 * number)).isoformat(timespec="milliseconds").removesuffix("+00:00")
    return f"{moment}Z {level} http: {text} in {number % 997}ms".ljust(119, ".") + "\n"


def _scan() -> None:
    """Look for changes in the memory of many pods."""
    random, times = np.random.default_rng(1), [float(_START.timestamp() + 60 * minute) for minute in range(POINTS)]
    for number in range(SERIES):
        values = (2e8 + 1e6 * random.standard_normal(POINTS)).tolist()
        analyze_series(Series(service="shop", pod=f"shop-{number}", times=times, values=values), "memory", "bytes", 3.0)


def _memory() -> int:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most // (2**20 if sys.platform == "darwin" else 2**10)

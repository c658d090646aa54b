"""The recordings that ship, as they are and under other names: the assistant must not know them by heart."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from evals.recorded_tools import RecordedTools
from evals.score import Outcome, Verdict
from sre_agent import supervisor
from sre_agent.reasoners import DEFAULT, create_reasoner
from sre_services.recording import SHIPPED


@dataclass(frozen=True)
class Case:
    """A recording, how it is changed, and what is right to say about it."""

    name: str
    recording: str
    expected: Verdict
    names: Mapping[str, str] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    prompt: str = "What is wrong?"


PAYMENT, CATALOG = Verdict("bad_configuration", "payment-service"), Verdict("memory_leak", "catalog-service")
BILLING, STOCK = Verdict("bad_configuration", "billing"), Verdict("memory_leak", "stock")
NOTHING = Verdict()
CASES = (
    Case("crash loop", "crash-loop", PAYMENT),
    Case("memory leak", "memory-leak", CATALOG),
    Case("healthy", "healthy", NOTHING),
    Case("crash loop, asked about who suffers", "crash-loop", PAYMENT, prompt="Why does checkout fail?"),
    Case("memory leak, last half hour", "memory-leak", CATALOG, prompt="What broke in the last 30 minutes?"),
    Case("crash loop, renamed", "crash-loop", BILLING, {"payment-service": "billing", "payments-db": "ledger"}),
    Case("memory leak, renamed", "memory-leak", STOCK, {"catalog-service": "stock", "frontend": "edge"}),
    Case("crash loop without pods", "crash-loop", NOTHING, drop=("kubernetes/pods.json",)),
    Case("crash loop without logs", "crash-loop", PAYMENT, drop=("logs/*",)),
    Case("memory leak without memory", "memory-leak", NOTHING, drop=("metrics/memory.json",)),
    Case("memory leak without cluster", "memory-leak", NOTHING, drop=("kubernetes/*",)),
    Case("healthy without metrics", "healthy", NOTHING, drop=("metrics/*",)),
)


def run(only: str = "") -> Iterator[Outcome]:
    """Every case whose name contains `only`, one after the other."""
    for case in (case for case in CASES if only in case.name):
        with tempfile.TemporaryDirectory() as folder:
            recording = _changed(case, Path(folder) / case.recording)
            started = time.perf_counter()
            report = asyncio.run(supervisor.investigate(case.prompt, RecordedTools(recording), create_reasoner(DEFAULT, {})))
            seconds = time.perf_counter() - started
        cause = report.root_cause
        yield Outcome(case.name, case.expected, Verdict(cause.kind, cause.service) if cause else Verdict(), seconds)


def _changed(case: Case, copy: Path) -> str:
    shutil.copytree(SHIPPED / case.recording, copy)
    for pattern in case.drop:
        for path in copy.glob(pattern):
            path.unlink()
    if not case.names:
        return str(copy)
    old_names = re.compile("|".join(map(re.escape, sorted(case.names, key=len, reverse=True))))
    for path in [path for path in copy.rglob("*") if path.is_file()]:
        text = old_names.sub(lambda found: case.names[found[0]], path.read_text(encoding="utf-8"))
        path.unlink()
        path.with_name(old_names.sub(lambda found: case.names[found[0]], path.name)).write_text(text, encoding="utf-8")
    return str(copy)

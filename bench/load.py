"""How long investigations take, one alone and fifty at once, in one process with the services over a recording."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from pathlib import Path

from evals.recorded_tools import RecordedTools

from bench.measure import ROUNDS, Measured, medians
from sre_agent import supervisor
from sre_agent.pool import Pool
from sre_agent.reasoners.rules.reasoner import Rules

AT_ONCE = 50
PEER = "aws --version"
ONE_BUDGET = 1.2  # 0.4 s, where the peer takes a third of a second
ALL_BUDGET = 24.0  # 8 s


def measure() -> list[Measured]:
    """Measure one alone and fifty at once against the peer."""
    (peer,) = medians([[str(Path(sys.executable).parent / "aws"), "--version"]], rounds=3)
    one, everyone = asyncio.run(_investigate())
    return [
        Measured("one investigation", one, PEER, peer, ONE_BUDGET),
        Measured(f"{AT_ONCE} investigations at once", everyone, PEER, peer, ALL_BUDGET),
    ]


async def _investigate() -> tuple[float, float]:
    tools, pool = RecordedTools("crash-loop"), Pool(waiting=AT_ONCE)
    alone = [await _take(tools, pool) for _ in range(ROUNDS + 1)]
    started = time.perf_counter()
    await asyncio.gather(*(_take(tools, pool) for _ in range(AT_ONCE)))
    # The first one warms caches, as it does in a process that serves.
    return statistics.median(alone[1:]), time.perf_counter() - started


async def _take(tools: RecordedTools, pool: Pool) -> float:
    started = time.perf_counter()
    async with pool.enter():
        await supervisor.investigate("What is wrong?", tools, Rules())
    return time.perf_counter() - started

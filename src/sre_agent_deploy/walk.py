"""Walks a graph in parallel: each node after those it needs, independent ones at the same time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter

WORKERS = 12


def walk(sorter: TopologicalSorter[str], visit: Callable[[str], bool]) -> None:
    """Call `visit(name)` for each node. What depends on a node whose visit answered False is not visited.

    When a visit raises, or the user interrupts, no new visit begins, those under way end, and the exception goes on.
    """
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="walk") as pool:
        try:
            _drive(pool, sorter, visit)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _drive(pool: ThreadPoolExecutor, sorter: TopologicalSorter[str], visit: Callable[[str], bool]) -> None:
    running: dict[Future[bool], str] = {}
    while sorter.is_active():
        running |= {pool.submit(visit, name): name for name in sorter.get_ready()}
        if not running:
            return
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            name = running.pop(future)
            if future.result():
                sorter.done(name)

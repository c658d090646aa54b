"""The parallel walk of a dependency graph: each node after those it needs, independent nodes at the same time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter

from sre_agent_deploy.progress import NEVER, Stop

WORKERS = 12


def walk_graph(sorter: TopologicalSorter[str], visit: Callable[[str], bool], stop: Stop = NEVER) -> None:
    """Call `visit(name)` for each node. What depends on a node whose visit returned False is not visited.

    After a stop request, or when a visit raises, no new visit begins and those under way end; the exception is raised again.
    """
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="walk") as pool:
        try:
            _drive(pool, sorter, visit, stop)
        except BaseException:
            # A second Ctrl-C too: without this the pool would begin all visits that wait before it ends.
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _drive(pool: ThreadPoolExecutor, sorter: TopologicalSorter[str], visit: Callable[[str], bool], stop: Stop) -> None:
    running: dict[Future[bool], str] = {}
    while sorter.is_active():
        if not stop.requested:
            running |= {pool.submit(visit, name): name for name in sorter.get_ready()}
        if not running:
            return
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            name = running.pop(future)
            if future.result():
                sorter.done(name)

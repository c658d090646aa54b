"""The resources of a deployment and their dependencies, from their Refs and what each says to come after; and the walk along them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import timedelta
from graphlib import TopologicalSorter

from sre_agent_deploy.later import refs
from sre_agent_deploy.progress import NEVER, Stop
from sre_agent_deploy.resource import Resource


@dataclass(frozen=True)
class Item:
    """One resource of a blueprint. `named` is the id of an existing one that the user named: it is used, never changed."""

    resource: Resource
    named: str = ""
    after: tuple[str, ...] = ()
    """What must exist before it, although it refers to no value of it."""

    @property
    def name(self) -> str:
        return self.resource.name


@dataclass(frozen=True)
class Blueprint:
    """The resources of a deployment, in the order in which a person would create them."""

    deployment: str
    items: tuple[Item, ...]
    tags: Mapping[str, str]
    keep_previous: timedelta = timedelta(0)
    """How long a replaced machine stays, so that a rollback can return to it."""

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)

    def item(self, name: str) -> Item:
        return next(item for item in self.items if item.name == name)

    def limit(self, targets: Iterable[str]) -> Blueprint:
        """Return the targets and everything that they refer to, in the same order. Without targets: everything."""
        if not (open_names := [*targets]):
            return self
        needs, limited = self.needs(), set[str]()
        while open_names:
            name = open_names.pop()
            open_names += () if name in limited else needs[name]
            limited.add(name)
        return replace(self, items=tuple(item for item in self.items if item.name in limited))

    def in_order(self) -> Blueprint:
        """Return the same with each resource after all that it refers to, as near to the order of the declaration as that allows."""
        places = {item.name: place for place, item in enumerate(self.items)}
        ordered, begun = list[Item](), set[str]()

        def add(name: str) -> None:
            if name not in begun:
                begun.add(name)
                item = self.items[places[name]]
                # What only an account knows is of no resource.
                for needed in sorted(_list_needs(item) & places.keys(), key=places.__getitem__):
                    add(needed)
                ordered.append(item)

        for item in self.items:
            add(item.name)
        return replace(self, items=tuple(ordered))

    def sorter(self) -> TopologicalSorter[str]:
        """Sort the names, each after those it refers to; ready to be walked in parallel."""
        sorter = TopologicalSorter(self.needs())
        sorter.prepare()
        return sorter

    def needs(self) -> dict[str, frozenset[str]]:
        """Map each resource to the names that it refers to. Raises LookupError on a Ref to nothing: a fault of the blueprint."""
        names = {item.name for item in self.items}
        edges = {item.name: _list_needs(item) for item in self.items}
        if missing := {(name, other) for name, others in edges.items() for other in others - names}:
            raise LookupError(f"refers to what is not in the blueprint: {sorted(missing)}")
        return edges

    def depth(self) -> int:
        """Count the resources of the longest chain of Refs."""
        needs, depth = self.needs(), dict[str, int]()
        for name in TopologicalSorter(needs).static_order():
            depth[name] = 1 + max((depth[other] for other in needs[name]), default=0)
        return max(depth.values(), default=0)


def _list_needs(item: Item) -> frozenset[str]:
    return frozenset((*(ref.of for ref in refs(item.resource)), *item.after))


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

"""The registry of resource types: every class of this folder, found by importing its modules.

A new type needs a file here and nothing else: no list names the types, and their order follows from what each says of itself.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from graphlib import TopologicalSorter

from sre_agent_deploy import resources
from sre_agent_deploy.resource import Defaults, Resource
from sre_core.problem import Problem, Refused


def declared() -> Iterator[type[Resource]]:
    """Yield every class that declares a resource, by the names of the modules. Several may declare one AWS type in different ways."""
    for info in sorted(pkgutil.iter_modules(resources.__path__), key=lambda info: info.name):
        if info.name != "kinds":
            module = importlib.import_module(f"{resources.__name__}.{info.name}")
            yield from (value for value in vars(module).values() if _declares(value, module.__name__))


def _declares(value: object, module: str) -> bool:
    # A class that only shares code between types is no dataclass.
    return isinstance(value, type) and issubclass(value, Defaults) and "__dataclass_fields__" in vars(value) and value.__module__ == module


def delete_before(kind: type[Resource]) -> frozenset[str]:
    """Return the kinds that must still exist while one of this kind is deleted: those it uses, and its parent."""
    return kind.DELETE_BEFORE | ({kind.PARENT} if kind.PARENT else frozenset())


def _in_order(kinds: Iterable[type[Resource]]) -> tuple[type[Resource], ...]:
    by_name = {kind.KIND: kind for kind in kinds if kind.LISTS_KIND}
    order = TopologicalSorter({name: sorted(delete_before(kind)) for name, kind in by_name.items()}).static_order()
    return tuple(by_name[name] for name in order)


ORDER: tuple[type[Resource], ...] = _in_order(declared())
"""One class for each AWS type, after everything that it uses; a cleanup goes through it backwards."""


def by_kind(kind: str) -> type[Resource]:
    """Return the class for a journal record's kind. Raises Refused on one that this version does not know."""
    known = next((type_ for type_ in ORDER if kind == type_.KIND), None)
    if known is None:
        raise Refused(_unknown(kind))
    return known


def knows(kind: str) -> bool:
    """Answer if this version knows a journal record's kind."""
    return any(kind == type_.KIND for type_ in ORDER)


def position(kind: str) -> int:
    """Return the place of a kind in the order of creation; deletions go backwards."""
    return ORDER.index(by_kind(kind))


def used_by(names: Iterable[str]) -> frozenset[str]:
    """Return all kinds that resources of these kinds use, directly or not."""
    direct = frozenset(used for name in names for used in delete_before(by_kind(name)))
    return direct | used_by(direct) if direct else direct


def inside(kind: type[Resource]) -> tuple[type[Resource], ...]:
    """Return the kinds whose resources lie in one of this kind."""
    return tuple(child for child in ORDER if kind.KIND == child.PARENT)


def teardown(kinds: Iterable[str]) -> TopologicalSorter[str]:
    """Sort kinds for deletion, each after all that must be deleted before it; ready to be walked in parallel."""
    first = {kind: [other.KIND for other in ORDER if kind in delete_before(other)] for kind in kinds}
    sorter = TopologicalSorter(first)
    sorter.prepare()
    return sorter


def _unknown(kind: str) -> Problem:
    return Problem(
        code="STATE-UNKNOWN-KIND",
        what=f"The state file has a {kind or 'resource without a kind'}, which this version does not know.",
        why="A newer version of sre-agent-deploy wrote it, or it was edited.",
        do=("Use that newer version, or restore a good copy of the state file.", "Nothing was changed."),
    )

"""The graph of a deployment, and how it is walked."""

from __future__ import annotations

import threading
import time
from graphlib import TopologicalSorter

import pytest

from sre_agent_deploy.graph import WORKERS, Blueprint, Item, walk_graph
from sre_agent_deploy.later import Ref
from sre_agent_deploy.resources.cognito_domain import UserPoolDomain
from sre_agent_deploy.resources.cognito_user_pool import UserPool

POOL = Item(UserPool(name="pool", pool_name="p"))
DOMAIN = Item(UserPoolDomain(name="domain", user_pool_id=Ref("pool", "user_pool_id"), domain="d"))


def test_the_graph_follows_from_the_refs() -> None:
    """Dependencies are not declared by hand; the order of the declarations does not matter."""
    blueprint = Blueprint("sre-1", (DOMAIN, POOL), {})
    assert blueprint.needs() == {"domain": {"pool"}, "pool": frozenset()}
    assert blueprint.depth() == 2


def test_the_order_of_the_guide() -> None:
    """Each step comes after those whose values it shows, and otherwise where it was declared; an account's values are of no step."""
    other = Item(UserPool(name="other", pool_name="o"))
    late = Item(UserPoolDomain(name="late", user_pool_id=Ref("account", "vpc_id"), domain="l"), after=("other",))
    blueprint = Blueprint("sre-1", (late, DOMAIN, other, POOL), {}).in_order()
    assert [item.name for item in blueprint] == ["other", "late", "pool", "domain"]


def test_a_ref_to_nothing() -> None:
    """A blueprint that refers to what it does not hold is a fault of ours, found before the first call."""
    with pytest.raises(LookupError, match="pool"):
        Blueprint("sre-1", (DOMAIN,), {}).sorter()


def test_walking_in_parallel() -> None:
    """Independent nodes are visited at the same time, and each after those it needs."""
    together, order = threading.Barrier(3, timeout=120), list[str]()

    def visit(name: str) -> bool:
        if name != "last":
            together.wait()
        order.append(name)
        return True

    walk_graph(_prepared({"last": {"a", "b", "c"}, "a": set(), "b": set(), "c": set()}), visit)
    assert order[-1] == "last"
    assert len(order) == 4


def test_what_depends_on_a_failure_is_not_visited() -> None:
    """A failure stops only what needs it."""
    visited: list[str] = []

    def visit(name: str) -> bool:
        visited.append(name)
        return name != "broken"

    walk_graph(_prepared({"needs it": {"broken"}, "broken": set(), "other": set()}), visit)
    assert sorted(visited) == ["broken", "other"]


def test_a_bug_in_a_visit_is_not_swallowed() -> None:
    """An exception ends the walk and reaches the caller; visits that wait for a worker do not begin."""
    visited: list[str] = []

    def visit(name: str) -> bool:
        visited.append(name)
        time.sleep(0 if name == "0" else 0.5)
        return bool(1 // int(name))

    with pytest.raises(ZeroDivisionError):
        walk_graph(_prepared({str(number): set() for number in range(5 * WORKERS)}), visit)
    assert len(visited) <= 2 * WORKERS


def _prepared(graph: dict[str, set[str]]) -> TopologicalSorter[str]:
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    return sorter

"""The life cycle that every resource type has, and the steps of it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import attempt
from sre_agent_deploy.plan import Difference, compare
from sre_agent_deploy.resource import Found, Mark, Ready, Waiting
from sre_core.problem import Problem


def create(aws: Aws, wanted: Any, mark: Mark) -> str:
    """Create the resource, wait for it, make every call that can be repeated, and return its id."""
    id = wanted.create(aws, mark)
    wait_until_ready(lambda: wanted.ready(aws, id))
    configure(aws, wanted, id)
    return str(id)


def configure(aws: Aws, wanted: Any, id: str) -> None:
    wanted.configure(aws, id)
    wait_until_ready(lambda: wanted.ready(aws, id))


def read(aws: Aws, wanted: Any, id: str) -> Found[Any]:
    """Read the resource from AWS; it must be there."""
    found = type(wanted).read(aws, id, wanted.name)
    assert found is not None
    return found  # type: ignore[no-any-return]


def drift(aws: Aws, wanted: Any, id: str) -> tuple[Difference, ...]:
    """Return the differences between AWS and the declaration, as a plan has them."""
    return compare(wanted, read(aws, wanted, id).seen)


def check_life_cycle(aws: Aws, wanted: Any, mark: Mark) -> None:
    """Check that it is created as declared, found by its deployment, unchanged when configured again, and deleted completely."""
    kind, id = type(wanted), create(aws, wanted, mark)
    assert drift(aws, wanted, id) == ()
    assert read(aws, wanted, id).owner(mark.deployment) == "us"
    assert id in [owned.id for owned in kind.owned(aws, mark.deployment)]
    assert kind.owned(aws, "sre-of-somebody-else") == ()
    configure(aws, wanted, id)
    assert drift(aws, wanted, id) == ()
    delete(aws, wanted, id, mark.deployment)


def delete(aws: Aws, wanted: Any, id: str, deployment: str) -> None:
    """Delete it and wait until AWS shows it no longer, neither by its id nor in a listing."""
    kind = type(wanted)
    kind.delete(aws, id)
    assert until(lambda: kind.read(aws, id, wanted.name) is None)
    assert id not in [owned.id for owned in kind.owned(aws, deployment)]


def check_repair(aws: Aws, wanted: Any, id: str, **changed: Any) -> None:
    """Check that configuring puts the declared value where AWS has another one; and back."""
    other = dataclasses.replace(wanted, **changed)
    assert {entry.field for entry in drift(aws, other, id)} == set(changed)
    configure(aws, other, id)
    assert drift(aws, other, id) == ()
    configure(aws, wanted, id)
    assert drift(aws, wanted, id) == ()


def refused(aws: Aws, wanted: Any, mark: Mark) -> Problem:
    """Return the Problem that a creation ends in."""
    answer = attempt(lambda: wanted.create(aws, mark), subject=wanted, failures=wanted.FAILURES)
    assert isinstance(answer, Problem), answer
    return answer


def until(happened: Callable[[], bool], seconds: float = 120) -> bool:
    """Return true if something happens within a time that is ample on a busy machine."""
    end = time.monotonic() + seconds
    while not (done := happened()) and time.monotonic() < end:
        time.sleep(0.02)
    return done


def wait_until_ready(ask: Callable[[], Any]) -> None:
    """Wait while AWS is still at work; any other answer than Ready after that is a failure."""
    assert until(lambda: not isinstance(ask(), Waiting))
    assert ask() == Ready()

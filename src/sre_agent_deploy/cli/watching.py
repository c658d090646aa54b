"""Lets the person before the terminal see what a command waits for, and end it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from sre_agent_deploy.cli.render import observing
from sre_agent_deploy.interrupt import interruptible

if TYPE_CHECKING:
    from sre_agent_deploy.place import Place


@contextmanager
def watched(place: Place, *, as_json: bool) -> Iterator[Place]:
    """The same place; what is waited for in it is shown, and Ctrl-C ends it. Nobody can be asked anything within."""
    with observing(as_json=as_json) as observe, interruptible() as stop:
        yield replace(place, aws=place.aws.waiting(replace(place.aws.waits, observe=observe, stop=stop)))

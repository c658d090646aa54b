"""Lets the person before the terminal see what a command waits for, and end it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from sre_agent_deploy.cli.render import observing, show_line
from sre_agent_deploy.progress.events import Event, Wait
from sre_agent_deploy.progress.interrupt import interruptible
from sre_agent_deploy.progress.progress import REPORT_AFTER
from sre_core import clock

if TYPE_CHECKING:
    from sre_agent_deploy.account.account import Account


@contextmanager
def watched(place: Account, *, as_json: bool) -> Iterator[Account]:
    """The same place; what is waited for in it is shown, and Ctrl-C ends it. Nobody can be asked anything within."""
    with observing(as_json=as_json) as observe, interruptible() as stop:
        yield replace(place, aws=place.aws.with_progress(replace(place.aws.progress, observe=observe, stop=stop)))


@contextmanager
def told_if_slow(what: str, within: timedelta, after: float = REPORT_AFTER) -> Iterator[None]:
    """Says what is waited for and until when, once that takes longer than most would."""
    event = Event("waiting", "aws", what, wait=Wait("ready", clock.now() + within))
    timer = threading.Timer(after, lambda: show_line(event))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()

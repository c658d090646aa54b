"""Runs `sre-agent-deploy` and kills it, by SIGKILL, at one mutating call: `python killed_at.py NTH MOMENT words…`

MOMENT is `before` (nothing was sent), `committed` (AWS did it, the answer never arrived) or `answered` (the answer came,
nothing was recorded). It attaches to botocore's own events; the code under test has no hook for it. NTH may be the name of
an operation instead of a number.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
from typing import Any

import botocore.session

_READS = ("Get", "List", "Describe", "Head", "Batch", "Simulate")
_counting = threading.Lock()
_calls = itertools.count(1)
_doomed = threading.local()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def attach(nth: str, moment: str) -> None:
    """Every client that is made from now on dies at its call."""
    make = botocore.session.Session.create_client

    def create_client(self: Any, *args: Any, **kwargs: Any) -> Any:
        client = make(self, *args, **kwargs)
        client.meta.events.register("before-send", lambda request, event_name, **_: _before_send(event_name, nth, moment))
        client.meta.events.register("response-received", lambda **_: _received(moment))
        client.meta.events.register("after-call", lambda **_: _answered(moment))
        return client

    botocore.session.Session.create_client = create_client  # type: ignore[method-assign]


def _before_send(event_name: str, nth: str, moment: str) -> None:
    operation = event_name.rsplit(".", 1)[-1]
    if operation.startswith(_READS):
        return
    with _counting:
        count = next(_calls)
    _doomed.now = nth in (str(count), operation)
    if _doomed.now and moment == "before":
        die()


def _received(moment: str) -> None:
    # The answer has arrived in this process, and no code of ours has seen it.
    if getattr(_doomed, "now", False) and moment == "committed":
        die()


def _answered(moment: str) -> None:
    if getattr(_doomed, "now", False) and moment == "answered":
        die()


if __name__ == "__main__":
    attach(sys.argv[1], sys.argv[2])
    from sre_agent_deploy.cli import main

    main(sys.argv[3:])

"""Runs `sre-agent-deploy` and kills it, by SIGKILL, at one mutating call: `python killed_at.py NTH MOMENT words…`

MOMENT is `before` (nothing was sent), `committed` (AWS did it, the answer never arrived) or `answered` (the answer came,
nothing was recorded). It attaches to botocore's own events; the code under test has no hook for it. NTH may be the name of
an operation instead of a number, and `CreateUserPoolClient#2` its second call. MOMENT `asleep` stops the process (SIGSTOP)
before the call is sent, while no other change is under way.
"""

from __future__ import annotations

import itertools
import os
import re
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import botocore.session

MOMENTS = ("before", "committed", "answered")
_READS = ("Get", "List", "Describe", "Head", "Batch", "Simulate")
_IDENTIFYING = re.compile("(Name|Id|Arn|Identifier|Bucket|Key|Principal)$", re.IGNORECASE)
_counting = threading.Lock()
_calls = itertools.count(1)
_this_call = threading.local()
_changing = threading.Lock()
_sleepy = False

# Asked at each mutating call: its number, its operation and what it is about; answers the moment to die at, or "".
type Doom = Callable[[int, str, str], str]


def at(nth: str, moment: str) -> Doom:
    """Die at one call, named by its number or its operation."""
    seen: Counter[str] = Counter()

    def doom(count: int, operation: str, label: str) -> str:
        seen[operation] += 1
        return moment if nth in (str(count), operation, f"{operation}#{seen[operation]}") else ""

    return doom


def attach(doom: Doom) -> None:
    """Every client that is made from now on dies at its call."""
    make = botocore.session.Session.create_client

    def create_client(self: Any, *args: Any, **kwargs: Any) -> Any:
        client = make(self, *args, **kwargs)
        watch(client, doom)
        return client

    botocore.session.Session.create_client = create_client  # type: ignore[method-assign]


def watch(client: Any, doom: Doom) -> None:
    """This client dies at its call."""
    events = client.meta.events
    events.register("before-parameter-build", lambda params, model, **_: _about_to(model.name, params))
    events.register("before-send", lambda **_: _before_send(doom))
    events.register("response-received", lambda **_: _die_if("committed"))
    events.register("after-call", lambda **_: _die_if("answered"))
    events.register("after-call", lambda **_: _end_change())
    events.register("after-call-error", lambda **_: _end_change())


def _about_to(operation: str, params: Mapping[str, Any]) -> None:
    about = sorted(str(value) for name, value in params.items() if isinstance(value, str) and _IDENTIFYING.search(name))
    _this_call.operation, _this_call.label = operation, " ".join([operation, *about])


def _before_send(doom: Doom) -> None:
    _this_call.moment = ""
    if _this_call.operation.startswith(_READS):
        return
    with _counting:
        _this_call.moment = doom(next(_calls), _this_call.operation, _this_call.label)
    _die_if("before")
    _fall_asleep_if_chosen()


def _fall_asleep_if_chosen() -> None:
    # A call that left before the process stopped may arrive after it woke: so none is under way.
    if _sleepy:
        _changing.acquire()
        _this_call.changes = True
        if _this_call.moment == "asleep":
            # To this thread: another one that had to be woken for it would let this one send its call meanwhile.
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)


def _end_change() -> None:
    if getattr(_this_call, "changes", False):
        _this_call.changes = False
        _changing.release()


def make_changes_one_by_one() -> None:
    """Let one change be under way at a time, so that a stop meets none but the one that was chosen."""
    global _sleepy  # noqa: PLW0603  # one process, one choice
    _sleepy = True


def _die_if(moment: str) -> None:
    # At "committed" the answer has arrived in this process, and no code of ours has seen it.
    if getattr(_this_call, "moment", "") == moment:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    if sys.argv[2] == "asleep":
        make_changes_one_by_one()
    attach(at(sys.argv[1], sys.argv[2]))
    from sre_agent_deploy.cli import main

    main(sys.argv[3:])

"""Hooks into botocore that each call of a session passes: a limit on calls at the same time, the check of the lock, and AWS's clock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from sre_core import clock

AT_ONCE = 8
"""Calls of one service at the same time: enough to lose no time, too few to be throttled as a burst."""


class CallLimit:
    """The limit of one client: eight calls at a time, and the first of all alone."""

    def __init__(self) -> None:
        self._slots, self._first = threading.Semaphore(AT_ONCE), threading.Lock()
        self._opened = False

    @contextmanager
    def hold_slot(self) -> Iterator[None]:
        """Wait for a slot, and keep it for one call.

        With its first connection urllib3 gives the client's one TLS context the file of certificate authorities, and OpenSSL locks
        nothing there (X509_STORE_add_lookup): two at once left a thread in an endless loop. Later connections only read.
        """
        with self._slots:
            with self._first:
                if alone := not self._opened:
                    yield
                    self._opened = True
            if not alone:
                yield


def limit_calls(class_attributes: dict[str, Any], base_classes: list[Any], **_: Any) -> None:
    """Handle botocore's `creating-client-class`: limit how many calls of this client are under way at once.

    `_make_api_call` is botocore's one way for every operation, paginators and waiters included.
    """
    base, limit, inside = base_classes[0], CallLimit(), threading.local()

    def _make_api_call(client: Any, operation_name: str, api_params: Any) -> Any:
        # S3 asks where a bucket is from within a call, and would wait for its own slot.
        if getattr(inside, "a_call", False):
            return base._make_api_call(client, operation_name, api_params)
        with limit.hold_slot():
            inside.a_call = True
            try:
                return base._make_api_call(client, operation_name, api_params)
            finally:
                inside.a_call = False

    class_attributes["_make_api_call"] = _make_api_call


# What begins otherwise is taken for a change: an unknown read then costs a check, and no change escapes it.
_READS = ("Get", "List", "Describe", "Head")

type Check = Callable[[], None]


class Fence:
    """The checks of one session before each call that changes something: a run that has lost its lock sends none.

    Each raises Refused if the run must change nothing more.
    """

    def __init__(self) -> None:
        self._checks: tuple[Check, ...] = ()

    @contextmanager
    def checking(self, check: Check) -> Iterator[None]:
        """Make this check before each change until the block ends."""
        before = self._checks
        self._checks = (*before, check)
        try:
            yield
        finally:
            self._checks = before

    def check_call(self, event_name: str, **_: Any) -> None:
        """Handle botocore's `before-send.SERVICE.OPERATION`: the last moment before a call leaves this process."""
        if not event_name.rpartition(".")[2].startswith(_READS):
            for check in self._checks:
                check()


class ServerClock:
    """AWS's time, read from the `Date` of the last answer of one session, and what has passed since.

    This machine's clock may be wrong by hours, and differs from that of other machines.
    """

    def __init__(self) -> None:
        self._answered: tuple[datetime, float] | None = None

    def note_answer(self, parsed: Mapping[str, Any], **_: Any) -> None:
        """Handle botocore's `after-call`, which comes with every answer, refusals included."""
        said = parsed.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
        try:
            self._answered = parsedate_to_datetime(said), clock.elapsed()
        except ValueError:  # an answer without a date
            return

    def now(self) -> datetime:
        """Return AWS's time, to about a second; this machine's while no answer has come yet."""
        if self._answered is None:
            return clock.now()
        answered, at = self._answered
        return answered + timedelta(seconds=clock.elapsed() - at)

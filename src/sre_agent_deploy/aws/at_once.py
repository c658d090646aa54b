"""A limit on the calls of one service at the same time: enough to lose no time, too few to be throttled as a burst."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

AT_ONCE = 8


class Door:
    """One client's: eight calls at a time, and the first of all alone."""

    def __init__(self) -> None:
        self._places, self._first = threading.Semaphore(AT_ONCE), threading.Lock()
        self._opened = False

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Wait for a slot, and keep it for one call.

        With its first connection urllib3 gives the client's one TLS context the file of certificate authorities, and OpenSSL locks
        nothing there (X509_STORE_add_lookup): two at once left a thread in an endless loop. Later connections only read.
        """
        with self._places:
            with self._first:
                if alone := not self._opened:
                    yield
                    self._opened = True
            if not alone:
                yield


def bound(class_attributes: dict[str, Any], base_classes: list[Any], **_: Any) -> None:
    """Handle botocore's `creating-client-class`: limit how many calls of this client are under way at once.

    `_make_api_call` is botocore's one way for every operation, paginators and waiters included.
    """
    base, door, inside = base_classes[0], Door(), threading.local()

    def _make_api_call(client: Any, operation_name: str, api_params: Any) -> Any:
        # S3 asks where a bucket is from within a call, and would wait for its own slot.
        if getattr(inside, "a_call", False):
            return base._make_api_call(client, operation_name, api_params)
        with door.passing():
            inside.a_call = True
            try:
                return base._make_api_call(client, operation_name, api_params)
            finally:
                inside.a_call = False

    class_attributes["_make_api_call"] = _make_api_call

"""How many calls of one service are under way at the same time: enough to lose no time, too few to be throttled as a burst."""

from __future__ import annotations

import threading
from typing import Any

AT_ONCE = 8


def bound(class_attributes: dict[str, Any], base_classes: list[Any], **_: Any) -> None:
    """A handler of botocore's `creating-client-class`: each call of this client waits until one of its places is free.

    `_make_api_call` is botocore's one door for every operation, paginators and waiters included.
    """
    base, places, inside = base_classes[0], threading.Semaphore(AT_ONCE), threading.local()

    def _make_api_call(client: Any, operation_name: str, api_params: Any) -> Any:
        # S3 asks where a bucket is from within a call, and would wait for the place that it holds.
        if getattr(inside, "a_call", False):
            return base._make_api_call(client, operation_name, api_params)
        with places:
            inside.a_call = True
            try:
                return base._make_api_call(client, operation_name, api_params)
            finally:
                inside.a_call = False

    class_attributes["_make_api_call"] = _make_api_call

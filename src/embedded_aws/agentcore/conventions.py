"""Conventions of all operations: client tokens, pages of lists, and steps that run later."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from embedded_aws.agentcore.errors import Violation, invalid


@dataclass(frozen=True)
class _Use:
    digest: str
    made: str


@dataclass
class ClientTokens:
    """The resource that each client token created, while that resource exists."""

    _uses: dict[tuple[str, str], _Use] = field(default_factory=dict)

    def find_created(self, operation: str, request: Mapping[str, Any]) -> str | None:
        """Return the id that this same request created before, or None. Raises ApiError where another request used the token."""
        use = self._uses.get((operation, request.get("clientToken", "")))
        if use is None:
            return None
        if use.digest != _digest(request):
            raise invalid("The client token was used before with other parameters.", reason="IdempotentParameterMismatchException")
        return use.made

    def remember(self, operation: str, request: Mapping[str, Any], made: str) -> None:
        """Record that the token of this request created `made`."""
        if token := request.get("clientToken"):
            self._uses[(operation, token)] = _Use(_digest(request), made)

    def forget(self, made: str) -> None:
        """Free the token of a resource that was deleted."""
        self._uses = {key: use for key, use in self._uses.items() if use.made != made}


def _digest(request: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


def select_page(items: Sequence[Any], request: Mapping[str, Any], *, default: int = 100) -> tuple[Sequence[Any], dict[str, str]]:
    """Return the items of the requested page, and `{"nextToken": …}` where more follow."""
    start = _start(request["nextToken"], len(items)) if "nextToken" in request else 0
    end = start + int(request.get("maxResults", default))
    following = {"nextToken": _token(end)} if end < len(items) else {}
    return items[start:end], following


def _token(position: int) -> str:
    return base64.urlsafe_b64encode(f"from:{position}".encode()).decode()


def _start(token: str, count: int) -> int:
    try:
        word, _, position = base64.urlsafe_b64decode(token).decode().partition(":")
        if word == "from" and 0 <= int(position) <= count:
            return int(position)
    except (binascii.Error, ValueError):
        pass
    raise invalid("The pagination token is invalid.", Violation("nextToken", "The pagination token is invalid."))


class Lifecycle:
    """Runs steps later; `change_seconds` is how many seconds a resource stays in CREATING, UPDATING or DELETING."""

    def __init__(self, change_seconds: float) -> None:
        self._change_seconds = change_seconds
        self._tasks: set[asyncio.Task[None]] = set()

    def later(self, *steps: Callable[[], Awaitable[None]]) -> None:
        """Run the steps in turn, each after another delay."""
        task = asyncio.create_task(self._run(steps))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, steps: tuple[Callable[[], Awaitable[None]], ...]) -> None:
        for step in steps:
            await asyncio.sleep(self._change_seconds)
            await step()

    async def close(self) -> None:
        """Cancel the steps that have not run yet."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

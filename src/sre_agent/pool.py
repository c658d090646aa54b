"""The limits that all questions share: of calls in flight, of questions in work and of waiting ones."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sre_agent.evidence import Answer

MOST_CALLS = 16  # in flight: with eight, two processors were idle for a third of the time
MOST_ANSWERED = 16  # at a time: each keeps its answers in memory
MOST_WAITING = 100
RETRY_SECONDS = 10


@dataclass(frozen=True)
class Turn:
    """The turn of a question: if it had to queue, and for how many seconds."""

    queued: bool
    seconds: float

    @property
    def note(self) -> str:
        """Say what the person who waited should know."""
        return f"This question waited {self.seconds:.1f} s for its turn, because others were being answered. No evidence was left out."


class Busy(Exception):
    """Raised where as many questions wait as may wait."""


class Pool:
    """Lets questions share the gateway: a call waits for its turn before its time limit begins, so that load costs no evidence."""

    def __init__(self, *, calls: int = MOST_CALLS, answered: int = MOST_ANSWERED, waiting: int = MOST_WAITING) -> None:
        self._calls = asyncio.Semaphore(calls)
        self._under_way: dict[Hashable, asyncio.Future[Answer]] = {}
        self._answered = asyncio.Semaphore(answered)
        self._most_answered = answered
        self._most = answered + waiting
        self._inside = 0

    @property
    def waiting(self) -> int:
        """Return how many questions wait for their turn now."""
        return max(0, self._inside - self._most_answered)

    async def call(self, key: Hashable, send: Callable[[], Awaitable[Answer]]) -> Answer:
        """Send a call when it is its turn, or return the answer of the same call of another question that is under way.

        What is wrong is asked by many at the same moment; the systems that are looked at are then asked once.
        """
        while other := self._under_way.get(key):
            await asyncio.wait((other,))
            if not other.cancelled():
                return other.result()
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._under_way[key] = answer
        try:
            async with self._calls:
                answer.set_result(await send())
        finally:
            # The question that sent it may have ended before its answer came: others then send it themselves.
            answer.cancel()
            del self._under_way[key]
        return answer.result()

    @asynccontextmanager
    async def enter(self) -> AsyncGenerator[Turn]:
        """Wait for the turn of one question, and say how long it waited. Raises Busy where too many wait already."""
        if self._inside >= self._most:
            raise Busy
        self._inside += 1
        try:
            arrived, queued = time.monotonic(), self._answered.locked()
            async with self._answered:
                yield Turn(queued, time.monotonic() - arrived)
        finally:
            self._inside -= 1

"""What takes AWS a moment happens here after a delay, in tasks that are not lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class Lifecycle:
    """Runs steps later; `settle` is how many seconds something spends in CREATING, UPDATING or DELETING."""

    def __init__(self, settle: float) -> None:
        self._settle = settle
        self._tasks: set[asyncio.Task[None]] = set()

    def later(self, *steps: Callable[[], Awaitable[None]]) -> None:
        """Run the steps in turn, each after another delay."""
        task = asyncio.create_task(self._run(steps))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, steps: tuple[Callable[[], Awaitable[None]], ...]) -> None:
        for step in steps:
            await asyncio.sleep(self._settle)
            await step()

    async def close(self) -> None:
        """Drop what has not happened yet."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

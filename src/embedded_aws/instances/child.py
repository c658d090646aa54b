"""A child process that can't be lost: cancelled at any moment, whoever started it still ends it."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def child(*argv: str) -> AsyncIterator[Process]:
    """Run a program with an empty environment and pipes; leaving the context kills it unless it has ended."""
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(*argv, stdin=PIPE, stdout=PIPE, stderr=STDOUT, env={}, start_new_session=True)
    )
    try:
        # asyncio forgets a process whose start is cancelled half way; waiting out the few milliseconds does not.
        yield await asyncio.shield(starting)
    finally:
        process = await starting
        if process.returncode is None:
            process.kill()
        # Reads what is left and closes the pipes.
        await process.communicate()

"""Keep the services of an instance running, exactly as long as the pipe on standard input is open.

Standard library only, run as a program of its own: one line of JSON in (`{"services": [...]}`), one line of JSON out for
each start and exit. When the pipe closes, which is also what happens when the program at its other end is killed, every
service ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass

FIRST_DELAY = 0.2
LONGEST_DELAY = 30.0
STEADY_AFTER = 60.0
GRACE = 5.0


@dataclass(frozen=True)
class Program:
    """One service: its command and its log file."""

    name: str
    argv: tuple[str, ...]
    environment: dict[str, str]
    folder: str
    log_file: str


async def keep_running(program: Program) -> None:
    """Restart after a failure, as `Restart=on-failure` of systemd: each time a little later; a clean exit is final."""
    clock = asyncio.get_running_loop().time
    delay = FIRST_DELAY
    while True:
        started = clock()
        if await _run_once(program) == 0:
            return
        delay = FIRST_DELAY if clock() - started > STEADY_AFTER else delay
        await asyncio.sleep(delay)
        delay = min(delay * 2, LONGEST_DELAY)


async def _run_once(program: Program) -> int:
    try:
        process = await _start(program)
    except OSError as refused:
        _report("exited", program, code=127, because=str(refused))
        return 127
    _report("started", program, pid=process.pid)
    try:
        code = await process.wait()
    finally:
        await _end(process)
    _report("exited", program, code=code)
    return code


async def _start(program: Program) -> asyncio.subprocess.Process:
    with open(program.log_file, "ab") as log:  # noqa: ASYNC230, PTH123  # opening a local file for append does not wait
        return await asyncio.create_subprocess_exec(
            *program.argv, env=program.environment, cwd=program.folder, stdin=asyncio.subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True, preexec_fn=end_with_parent(),
        )  # fmt: skip


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the program and everything that it started: first SIGTERM, then SIGKILL."""
    if process.returncode is None:
        _signal_group(process.pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), GRACE)
    _signal_group(process.pid, signal.SIGKILL)
    await process.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def end_with_parent() -> Callable[[], None] | None:
    """Return what a service calls first: the Linux kernel ends it when this process is killed. Elsewhere the pipe must be enough.

    A parent that was killed before the call is no longer the parent: the kernel reports only a later end (prctl(2), PR_SET_PDEATHSIG).
    """
    if sys.platform != "linux":
        return None
    prctl, set_death_signal, parent = ctypes.CDLL(None).prctl, 1, os.getpid()

    def arrange() -> None:
        prctl(set_death_signal, signal.SIGKILL)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return arrange


def _report(event: str, program: Program, **facts: object) -> None:
    # The reader may have ended already; the end of standard input then ends this program.
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps({"event": event, "service": program.name, **facts}), flush=True)


async def _standard_input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def supervise() -> None:
    """Run the services of the first line until standard input ends or SIGTERM comes; then end all of them."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    commands = await _standard_input()
    wanted = json.loads(await commands.readline())
    running = [asyncio.create_task(keep_running(Program(**service))) for service in wanted["services"]]
    ends = [asyncio.create_task(commands.read()), asyncio.create_task(stop.wait())]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for task in (*running, *ends):
        task.cancel()
    await asyncio.gather(*running, *ends, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(supervise())

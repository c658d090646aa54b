"""Run the services of an instance under a supervisor, wait until they are healthy, and end them together."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from embedded_aws.instances import supervisor
from embedded_aws.instances.progress import StepFailed
from embedded_aws.instances.supervisor import Program
from sre_core import log
from sre_core.machine import MachineService


@asynccontextmanager
async def child(*argv: str) -> AsyncIterator[Process]:
    """Run a program with an empty environment and pipes; leaving the context kills it unless it has ended."""
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(*argv, stdin=PIPE, stdout=PIPE, stderr=STDOUT, env={}, start_new_session=True)
    )
    try:
        # asyncio loses a process whose start is cancelled half way; waiting a few milliseconds does not.
        yield await asyncio.shield(starting)
    finally:
        process = await starting
        if process.returncode is None:
            process.kill()
        # Reads what is left and closes the pipes.
        await process.communicate()


# The services' server closes an idle connection after five seconds; a client that closes it earlier never uses a closed one.
_IDLE_SECONDS = 2.0
_CONNECT_SECONDS = 5.0
# A gateway's tool call may take fifteen minutes, and so may an investigation.
_SILENT_SECONDS = 900.0


def service_session(socket: str, *, silent_seconds: float = _SILENT_SECONDS) -> aiohttp.ClientSession:
    """Return a client for one service: bodies and headers pass unchanged, and a response may take as long as a tool call may."""
    return aiohttp.ClientSession(
        connector=aiohttp.UnixConnector(socket, limit=0, keepalive_timeout=_IDLE_SECONDS),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=silent_seconds),
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        max_line_size=65536,
        max_field_size=65536,
    )


async def answers(client: aiohttp.ClientSession, url: str, tls: aiohttp.Fingerprint | bool = True) -> bool:
    """Return whether a health path answers 200 within five seconds."""
    try:
        async with client.get(url, ssl=tls, allow_redirects=False, timeout=aiohttp.ClientTimeout(total=5)) as response:
            return response.status == 200
    except (aiohttp.ClientError, OSError):
        return False


_HEALTHY_WITHIN = 90.0
_LOOK_EVERY = 0.05
# As systemd's StartLimitBurst: a service that ends this often before it was ever healthy won't become so.
_EXITS_TO_GIVE_UP = 3
_END_WITHIN = supervisor.GRACE + 5


@dataclass(frozen=True)
class SupervisedService:
    """A service, its program, and the socket on which it answers."""

    service: MachineService
    program: Program
    socket: Path


def program(service: MachineService, *, socket: Path, environment: Mapping[str, str], folder: Path, logs: Path) -> Program:
    """Return `python <command> --socket <path>` with its output in a log file."""
    return Program(
        name=service.name,
        argv=(sys.executable, *service.command, "--socket", str(socket)),
        environment=dict(environment),
        folder=str(folder),
        log_file=str(logs / f"{service.name}.log"),
    )


class RunningServices:
    """The running services of one instance; leaving the context ends all their processes."""

    def __init__(self, services: Sequence[SupervisedService]) -> None:
        self._services = services
        self._exits = {each.service.name: 0 for each in services}
        self._last_code: dict[str, int] = {}
        self._log = log.get()
        self._child = AsyncExitStack()
        self._ending = False
        self._supervisor_exits = 0

    async def __aenter__(self) -> Self:
        await self._start()
        self._life = asyncio.create_task(self._keep_supervised())
        return self

    async def _start(self) -> None:
        # By file and isolated: it needs only the standard library, and so starts in a fraction of the time.
        self._process = await self._child.enter_async_context(child(sys.executable, "-I", "-S", supervisor.__file__))
        wanted = {"services": [asdict(each.program) for each in self._services]}
        _pipe(self._process.stdin).write(json.dumps(wanted).encode() + b"\n")

    async def _keep_supervised(self) -> None:
        """Read the events of the supervisor; start it again when it ends unexpectedly, as a machine reboots when its first process ends."""
        pause = supervisor.FIRST_DELAY
        await self._read_events()
        while not self._ending:
            self._supervisor_exits += 1
            self._log.error("supervisor.ended", times=self._supervisor_exits)
            await asyncio.sleep(pause)
            pause = min(pause * 2, supervisor.LONGEST_DELAY)
            if not self._ending:
                await self._start()
                await self._read_events()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ending = True
        if self._process.returncode is not None:
            # Between two supervisors: none is running that could end the services.
            self._life.cancel()
        _pipe(self._process.stdin).close()
        # The output of the supervisor ends with it, after the last of its services.
        done, _ = await asyncio.wait([self._life], timeout=_END_WITHIN)
        if not done:
            self._life.cancel()
        await self._child.aclose()

    async def healthy(self) -> None:
        """Wait until each health path answers on its socket. Raises StepFailed for the first service that does not, with its output."""
        waiting = [asyncio.create_task(self._healthy(each)) for each in self._services]
        try:
            await asyncio.gather(*waiting)
        finally:
            for task in waiting:
                task.cancel()

    async def _healthy(self, each: SupervisedService) -> None:
        clock = asyncio.get_running_loop().time
        deadline = clock() + _HEALTHY_WITHIN
        async with service_session(str(each.socket)) as client:
            while not await answers(client, f"http://service{each.service.health_path}"):
                name = each.service.name
                if self._exits[name] >= _EXITS_TO_GIVE_UP:
                    raise StepFailed(
                        f"The service {name} ended with exit code {self._last_code[name]} each time it was started.", _tail(each)
                    )
                if self._supervisor_exits >= _EXITS_TO_GIVE_UP:
                    raise StepFailed("The program that supervises the services ended each time it was started.", _tail(each))
                if clock() > deadline:
                    raise StepFailed(
                        f"The service {name} did not answer {each.service.health_path} within {_HEALTHY_WITHIN:.0f} s.", _tail(each)
                    )
                await asyncio.sleep(_LOOK_EVERY)

    async def _read_events(self) -> None:
        events = _pipe(self._process.stdout)
        while line := await events.readline():
            self._note(line)

    def _note(self, line: bytes) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            # A traceback of the supervisor itself.
            self._log.error("supervisor.said", text=line.decode("utf-8", "replace").rstrip())
            return
        if event["event"] == "exited":
            self._exits[event["service"]] += 1
            self._last_code[event["service"]] = event["code"]
            self._log.warning("service.exited", service=event["service"], code=event["code"])


def _pipe[P](end: P | None) -> P:
    """Return a pipe that the child was started with."""
    assert end is not None
    return end


def _tail(each: SupervisedService) -> str:
    file = Path(each.program.log_file)
    if not file.exists():
        return ""
    return "\n".join(file.read_text(encoding="utf-8", errors="replace").splitlines()[-40:])

"""Run the packages of runtimes: each version as one process, from its first invocation until no endpoint needs it.

AWS gives each session a machine of its own. Here all sessions of a version share a process, and a Unix socket replaces port 8080:
there is no network namespace in which a package could listen on every address. So its file is started with `--socket PATH`, as the
services of instances are.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from embedded_aws.agentcore.images import find_program
from embedded_aws.agentcore.runtime_logs import RuntimeLog
from embedded_aws.agentcore.runtime_records import Runtime, RuntimeVersion
from embedded_aws.instances.credentials import write_trusted
from embedded_aws.instances.release import unpack
from embedded_aws.instances.services import RunningServices, SupervisedService, program, service_session
from embedded_aws.instances.short_folder import short_folder_for
from embedded_aws.world import World
from sre_core import log
from sre_core.machine import MachineService

_HEALTH_PATH = "/ping"
type Key = tuple[str, int]


@dataclass
class _Process:
    """The process of one version, once it is started; `users` counts the requests in it."""

    starting: asyncio.Lock = field(default_factory=asyncio.Lock)
    running: AsyncExitStack | None = None
    session: aiohttp.ClientSession | None = None
    log: RuntimeLog | None = None
    users: int = 0


class Packages:
    """The running packages of one region."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._processes: dict[Key, _Process] = {}
        self._needed: dict[str, frozenset[int]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._log = log.get()

    @asynccontextmanager
    async def use(self, runtime: Runtime, version: RuntimeVersion, endpoint: str) -> AsyncIterator[aiohttp.ClientSession]:
        """Lend the connection to a version's package, which the first use starts. Raises StepFailed where it does not become healthy."""
        key = (runtime.runtime_id, version.number)
        process = self._processes.setdefault(key, _Process())
        process.users += 1
        try:
            yield await self._session(process, runtime, version)
        finally:
            process.users -= 1
            if process.log:
                process.log.deliver(runtime, version, endpoint)
            self._end_unneeded(runtime.runtime_id)

    def retire(self, runtime_id: str, needed: frozenset[int]) -> None:
        """Let the versions that no endpoint needs end, each after its last request."""
        self._needed[runtime_id] = needed
        self._end_unneeded(runtime_id)

    async def close(self) -> None:
        """End every process."""
        await asyncio.gather(*self._ending, *(_end(process) for process in self._processes.values()), return_exceptions=True)
        self._processes.clear()

    def _end_unneeded(self, runtime_id: str) -> None:
        needed = self._needed.get(runtime_id, frozenset())
        idle = [key for key, process in self._processes.items() if key[0] == runtime_id and key[1] not in needed and not process.users]
        for key in idle:
            task = asyncio.create_task(_end(self._processes.pop(key)))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def _session(self, process: _Process, runtime: Runtime, version: RuntimeVersion) -> aiohttp.ClientSession:
        async with process.starting:
            if process.session is None:
                async with AsyncExitStack() as running:
                    logs = self._world.folder / "runtimes" / f"{runtime.runtime_id}-{version.number}" / "logs"
                    process.log = RuntimeLog(self._world, logs / "runtime.log")
                    process.session = await self._start(runtime, version, running)
                    process.running = running.pop_all()
            return process.session

    async def _start(self, runtime: Runtime, version: RuntimeVersion, running: AsyncExitStack) -> aiohttp.ClientSession:
        folder = self._world.folder / "runtimes" / f"{runtime.runtime_id}-{version.number}"
        logs = folder / "logs"
        logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        package, command = await asyncio.to_thread(_lay_out, version, folder)
        socket = running.enter_context(short_folder_for(folder)) / "http.sock"
        environment = self._environment(runtime, version, folder, package)
        service = MachineService("runtime", command, environment, {}, _HEALTH_PATH)
        supervised = SupervisedService(service, program(service, socket=socket, environment=environment, folder=package, logs=logs), socket)
        await (await running.enter_async_context(RunningServices((supervised,)))).healthy()
        self._log.info("runtime.started", runtime=runtime.runtime_id, version=version.number)
        return await running.enter_async_context(service_session(str(socket)))

    def _environment(self, runtime: Runtime, version: RuntimeVersion, folder: Path, package: Path) -> Mapping[str, str]:
        """Return the whole environment: the runtime's own, and what AWS gives: the credentials of its role, and its region."""
        trusted = str(write_trusted(self._world.authority.ca_file, folder / "trusted.pem"))
        role = self._world.credentials_for_role(version.declared["roleArn"], runtime.runtime_id)
        return {
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            "HOME": str(folder),
            **version.environment,
            "PYTHONPATH": str(package),
            "SSL_CERT_FILE": trusted,
            "AWS_CA_BUNDLE": trusted,
            "AWS_ENDPOINT_URL": self._world.endpoint,
            "AWS_REGION": self._world.region,
            "AWS_DEFAULT_REGION": self._world.region,
            "AWS_ACCESS_KEY_ID": role.access_key_id,
            "AWS_SECRET_ACCESS_KEY": role.secret_access_key.reveal(),
            "AWS_SESSION_TOKEN": role.session_token.reveal(),
        }


def _lay_out(version: RuntimeVersion, folder: Path) -> tuple[Path, tuple[str, ...]]:
    """Unpack a package, or find what runs for an image; return the folder of its code and the command."""
    if version.package is None:
        return find_program()
    unpack(version.package, folder / "package")
    return folder / "package", (version.entry_point,)


async def _end(process: _Process) -> None:
    async with process.starting:
        if process.running:
            await process.running.aclose()

"""Boot an instance step by step, as the bootstrap of a real machine does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from embedded_aws.instances import short_folder
from embedded_aws.instances.backups import keep_backed_up
from embedded_aws.instances.certificate_order import Ordering, end_task, is_ordered
from embedded_aws.instances.credentials import (
    Credentials,
    aws_environment,
    keep_credentials,
    role_environment,
    service_environment,
    write_credentials,
    write_trusted,
)
from embedded_aws.instances.front_door import LOOK_EVERY, OpenDoor, open_front_door
from embedded_aws.instances.progress import Progress, StepFailed
from embedded_aws.instances.release import install_release
from embedded_aws.instances.services import RunningServices, SupervisedService, program
from embedded_aws.instances.trace_agent import open_trace_agent
from embedded_aws.world import NotAuthorized, World
from sre_core import log, tracing
from sre_core.machine import Machine, MachineService

# A Unix socket's path may have 104 bytes on macOS and 108 on Linux, its end included.
_LONGEST_SOCKET_PATH = 100


@dataclass(frozen=True)
class Disk:
    """The folders of one instance, whose id is the name of `root`, and what it was launched with."""

    root: Path
    user_data: bytes = b""
    profile_arn: str = ""
    ipv6_address: str = ""

    @property
    def release(self) -> Path:
        return self.root / "release"

    @property
    def credentials(self) -> Path:
        return self.root / "credentials"

    @property
    def logs(self) -> Path:
        return self.root / "logs"


type Boot = Callable[[World, Machine, Disk, str, AsyncExitStack], Awaitable[OpenDoor]]


async def boot(world: World, machine: Machine, disk: Disk, address: str, running: AsyncExitStack) -> OpenDoor:
    """Boot an instance until it is ready. What it starts ends with `running`; StepFailed is raised after the failure is reported."""
    progress = Progress(world, machine.status_uri)
    with progress.step("release"):
        await install_release(world, machine, disk.release)
    with progress.step("credentials"):
        credentials = write_credentials(world, machine, disk.credentials)
        progress.conceal(credentials.secrets)
        running.callback(asyncio.create_task(_follow_credentials(world, machine, disk)).cancel)
    with progress.step("services"):
        sockets = _sockets(machine, disk, running)
        receiver = await open_trace_agent(world, machine, disk.profile_arn, disk.root.name, running)
        services = tuple(_send_traces_to(receiver, service) for service in machine.services)
        supervised = _supervised_services(world, replace(machine, services=services), disk, credentials, sockets)
        await (await running.enter_async_context(RunningServices(supervised))).healthy()
    with progress.step("front_door"):
        ordering = Ordering.plan(world, machine, disk.root, disk.user_data, disk.profile_arn) if is_ordered(machine) else None
        proofs = ordering.proofs if ordering else None
        door = await open_front_door(machine.front_door, address, sockets, credentials, running, world=world, proofs=proofs)
    with progress.step("ready") as facts:
        await door.leads_to(machine.services)
        facts.values["listeners"] = door.report()
    if ordering:
        running.push_async_callback(end_task, asyncio.create_task(ordering.keep()))
    backing_up = keep_backed_up(world, machine, disk.root, disk.user_data, disk.profile_arn)
    running.push_async_callback(end_task, asyncio.create_task(backing_up))
    return door


async def _follow_credentials(world: World, machine: Machine, disk: Disk) -> None:
    """Keep the files of the services' credentials current; what can't be used is logged, and what was there before is used on."""
    events, failed = log.get(), ""
    while True:
        await asyncio.sleep(LOOK_EVERY)
        try:
            keep_credentials(world, machine, disk.credentials)
            failed = ""
        except (StepFailed, NotAuthorized) as unusable:
            if str(unusable) != failed:
                events.error("credentials.not_taken", because=str(unusable))
            failed = str(unusable)


def _send_traces_to(receiver: str, service: MachineService) -> MachineService:
    """Let a service send its spans to the agent of this machine, if it has one, instead of to the port of a real one."""
    if not receiver or tracing.VARIABLE not in service.environment:
        return service
    return replace(service, environment={**service.environment, tracing.VARIABLE: receiver})


def _sockets(machine: Machine, disk: Disk, running: AsyncExitStack) -> Mapping[str, Path]:
    sockets = _sockets_in(disk.root / "run", machine)
    if _too_long(sockets):
        sockets = _sockets_in(running.enter_context(short_folder.short_folder_for(disk.root)), machine)
    if _too_long(sockets):  # the folder for temporary files of macOS has a long path
        sockets = _sockets_in(running.enter_context(short_folder.short_folder_for(disk.root, Path("/tmp"))), machine)  # noqa: S108  # 0700 in it
    return sockets


def _sockets_in(folder: Path, machine: Machine) -> Mapping[str, Path]:
    folder.mkdir(mode=0o700, exist_ok=True)
    return {service.name: folder / f"{service.name}.sock" for service in machine.services}


def _too_long(sockets: Mapping[str, Path]) -> bool:
    return any(len(str(socket)) > _LONGEST_SOCKET_PATH for socket in sockets.values())


def _supervised_services(
    world: World, machine: Machine, disk: Disk, credentials: Credentials, sockets: Mapping[str, Path]
) -> tuple[SupervisedService, ...]:
    disk.logs.mkdir(exist_ok=True)
    trusted = write_trusted(world.authority.ca_file, disk.root / "trusted.pem")
    # On a real machine, the metadata service is closed to what does not use the role.
    aws = {True: role_environment(world, disk.profile_arn, disk.root.name, trusted), False: aws_environment(world, trusted)}
    return tuple(
        SupervisedService(
            service,
            program(
                service,
                socket=sockets[service.name],
                environment=service_environment(
                    service,
                    release=disk.release,
                    credentials=credentials.of(service.name),
                    trusted=trusted,
                    home=disk.root,
                    aws=aws[service.uses_role],
                ),
                folder=disk.root,
                logs=disk.logs,
            ),
            sockets[service.name],
        )
        for service in machine.services
    )


async def report_ready(world: World, machine: Machine, disk: Disk, address: str, running: AsyncExitStack) -> OpenDoor:
    """Report every step as done at once, and start nothing: for tests of what comes before and after a boot."""
    progress = Progress(world, machine.status_uri)
    for step in ("release", "credentials", "services", "front_door"):
        with progress.step(step):
            pass
    with progress.step("ready") as facts:
        facts.values["listeners"] = [
            {"port": listener.port, "address": address, "actual_port": listener.port} for listener in machine.front_door.listeners
        ]
    return OpenDoor(address=address, listeners=(), redirect=None, certificate_sha256=b"")

"""Boot an instance by a program of the caller, such as one that starts a virtual machine with the user data as it is.

The program reads one line of JSON from standard input: what EC2 and the metadata service would give to a new machine. It
answers one line of JSON: `{"ports": {"443": 41297}}`, the ports of the instance's private address on this computer that lead to
the machine's own. The machine runs until standard input closes; the program then stops it and ends.
"""

from __future__ import annotations

import asyncio
import base64
import json
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from embedded_aws.instances.boot import Boot, Disk
from embedded_aws.instances.front_door import OpenDoor, OpenListener
from embedded_aws.instances.progress import StepFailed
from embedded_aws.world import World
from sre_core import clock
from sre_core.machine import FrontDoor, Machine

_STOP_WITHIN = 60.0


def boot_by_program(command: tuple[str, ...]) -> Boot:
    """Return the boot of instances by this command."""

    async def boot(world: World, machine: Machine, disk: Disk, address: str, running: AsyncExitStack) -> OpenDoor:
        program = await _start(command, disk)
        running.push_async_callback(_stop, program)
        _input(program).write(json.dumps(_describe(world, disk, address)).encode() + b"\n")
        line = await _output(program)()
        try:
            ports = {int(port): int(actual) for port, actual in json.loads(line)["ports"].items()}
        except (ValueError, KeyError) as unusable:
            raise StepFailed(f"`{command[0]}` did not say where the machine listens; {disk.logs}/program.log has its output.") from unusable
        return _lead_to(machine.front_door, address, ports)

    return boot


async def _start(command: tuple[str, ...], disk: Disk) -> Process:
    disk.logs.mkdir(exist_ok=True)
    with (disk.logs / "program.log").open("ab") as log:
        return await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=log, start_new_session=True)


async def _stop(program: Process) -> None:
    """Stop the machine and wait for its end, also where the instance is terminated meanwhile, because its boot has failed."""
    stopping = asyncio.create_task(_end(program))
    try:
        await asyncio.shield(stopping)
    finally:
        await stopping


async def _end(program: Process) -> None:
    try:
        # Closes standard input, and reads what is left.
        await asyncio.wait_for(program.communicate(), _STOP_WITHIN)
    except TimeoutError:
        program.kill()
        await program.wait()


def _describe(world: World, disk: Disk, address: str) -> dict[str, Any]:
    return {
        "instance_id": disk.root.name,
        "user_data": base64.b64encode(disk.user_data).decode(),
        "private_ip": address,
        "ipv6_address": disk.ipv6_address,
        "account_id": world.account_id,
        "region": world.region,
        "endpoint": world.endpoint,
        "ca_file": str(world.authority.ca_file),
        "folder": str(disk.root),
        "role": _role(world, disk),
    }


def _role(world: World, disk: Disk) -> dict[str, str]:
    arn = world.role_of_profile(disk.profile_arn)
    if arn is None:
        return {}
    session = world.credentials_for_role(arn, disk.root.name)
    return {
        "arn": arn,
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret_access_key.reveal(),
        "Token": session.session_token.reveal(),
        "Expiration": clock.stamp(session.expiration),
    }


def _lead_to(door: FrontDoor, address: str, ports: dict[int, int]) -> OpenDoor:
    listeners = tuple(OpenListener(each, ports[each.port]) for each in door.listeners if each.port in ports)
    redirect = (door.redirect_port, ports[door.redirect_port]) if door.redirect_port in ports else None
    return OpenDoor(address, listeners, redirect, b"")


def _input(program: Process) -> asyncio.StreamWriter:
    assert program.stdin is not None
    return program.stdin


def _output(program: Process) -> Callable[[], Awaitable[bytes]]:
    assert program.stdout is not None
    return program.stdout.readline

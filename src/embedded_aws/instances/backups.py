"""Run the release's own program that backs the deployment up, as systemd does on a real machine each day."""

from __future__ import annotations

import asyncio
from datetime import datetime, time, timedelta
from pathlib import Path

from embedded_aws.instances.certificate_order import run_program, write_machine_file
from embedded_aws.world import NotAuthorized, World
from sre_core import clock
from sre_core.machine import BACKUP_SOURCE_FILE, Machine

# A real machine begins a quarter of an hour after its boot. Here there is no wait: a backup follows each deployment.
_LOOK_EVERY = 2.0


async def keep_backed_up(world: World, machine: Machine, root: Path, user_data: bytes, profile_arn: str) -> None:
    """Run the program when the deployer has left something to back up, and each day at the time of machine.json."""
    if machine.backups is None:
        return
    words = (write_machine_file(root, user_data), root.name)
    seen, due = None, clock.now()
    while True:
        left = _read_source(world, f"{machine.status_uri}{BACKUP_SOURCE_FILE}")
        if left is not None and (left != seen or clock.now() >= due):
            await run_program(world, root, profile_arn, "backups", *words)
            seen, due = left, find_next(machine.backups.at, clock.now())
        await asyncio.sleep(_LOOK_EVERY)


def find_next(at: str, now: datetime) -> datetime:
    """Return the next time of day like this (pure)."""
    today = datetime.combine(now.date(), time.fromisoformat(at), now.tzinfo)
    return today if today > now else today + timedelta(days=1)


def _read_source(world: World, uri: str) -> bytes | None:
    try:
        return world.s3_object(uri)
    except NotAuthorized:
        # The program may not look either: its report says so.
        return b""

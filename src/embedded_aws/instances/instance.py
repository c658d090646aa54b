"""One EC2 instance of this AWS: what it was launched with, and what of it runs."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from embedded_aws.instances.boot import Boot, Disk, boot
from embedded_aws.instances.failure import StepFailed
from embedded_aws.instances.front_door import OpenDoor
from embedded_aws.world import World
from sre_core import log
from sre_core.machine import Machine


class Instance:
    """Boots in the background, can be stopped and started, and leaves nothing once it is terminated."""

    def __init__(self, world: World, instance_id: str, machine: Machine, folder: Path, private_ip: str, *, boot: Boot = boot) -> None:
        self._world = world
        # An update has two machines, and each must be judged by its own reports.
        self._machine = replace(machine, status_uri=f"{machine.status_uri}{instance_id}/")
        self._folder = folder
        self._private_ip = private_ip
        self._boot = boot
        self._log = log.get(instance_id=instance_id)
        self._life: asyncio.Task[None] | None = None
        self.door: OpenDoor | None = None

    def start(self) -> None:
        """Begin to boot and return at once; a running instance stays as it is."""
        if self._life is None or self._life.done():
            self._life = asyncio.create_task(self._live())
            self._life.add_done_callback(self._log_end)

    async def stop(self) -> None:
        """End every process and listener of this instance; what is on its disk stays."""
        if self._life is not None:
            self._life.cancel()
            await asyncio.wait([self._life])

    async def terminate(self) -> None:
        """Stop, and leave nothing on disk."""
        await self.stop()
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _live(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            async with AsyncExitStack() as running:
                self.door = await self._boot(self._world, self._machine, Disk(self._folder), self._private_ip, running)
                self._log.info("instance.ready", listeners=self.door.report())
                await asyncio.Event().wait()
        except StepFailed as failed:
            self._log.warning("instance.boot_failed", because=failed.what)
        finally:
            self.door = None

    def _log_end(self, life: asyncio.Task[None]) -> None:
        if not life.cancelled() and (bug := life.exception()):
            self._log.error("instance.host_failed", exc_info=bug)

"""START HERE: start, stop and terminate the instances behind the EC2 API, and forward the connections to their addresses."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import AsyncExitStack
from dataclasses import replace

from embedded_aws.instances.boot import Boot, Disk, boot
from embedded_aws.instances.elastic_ip import ElasticIp
from embedded_aws.instances.front_door import OpenDoor
from embedded_aws.instances.progress import StepFailed
from embedded_aws.instances.user_data import find_written_file
from embedded_aws.world import World
from sre_core import log
from sre_core.machine import MACHINE_FILE, Machine


class Instance:
    """One EC2 instance: it boots in the background, can be stopped and started, and leaves nothing once it is terminated."""

    def __init__(self, world: World, instance_id: str, machine: Machine, disk: Disk, private_ip: str, *, boot: Boot = boot) -> None:
        self._world = world
        # An update has two machines, and each must be judged by its own reports.
        self._machine = replace(machine, status_uri=f"{machine.status_uri}{instance_id}/")
        self._disk = disk
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
        """End every process and listener of this instance; its disk stays."""
        if self._life is not None:
            self._life.cancel()
            await asyncio.wait([self._life])

    async def terminate(self) -> None:
        """Stop the instance and delete its disk."""
        await self.stop()
        await asyncio.to_thread(shutil.rmtree, self._disk.root, ignore_errors=True)

    async def _live(self) -> None:
        self._disk.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            async with AsyncExitStack() as running:
                self.door = await self._boot(self._world, self._machine, self._disk, self._private_ip, running)
                self._log.info("instance.ready", listeners=self.door.report())
                await asyncio.Event().wait()
        except StepFailed as failed:
            self._log.warning("instance.boot_failed", because=failed.what)
        finally:
            self.door = None

    def _log_end(self, life: asyncio.Task[None]) -> None:
        if not life.cancelled() and (bug := life.exception()):
            self._log.error("instance.host_failed", exc_info=bug)


class InstanceHost:
    """Runs the machines behind the EC2 API: exactly what machine.json says, and nothing else of the user data."""

    def __init__(self, world: World, boot: Boot = boot) -> None:
        self._world = world
        self._boot = boot
        self._instances: dict[str, Instance] = {}
        self._addresses: dict[str, ElasticIp] = {}
        self._log = log.get()

    async def launch(
        self, instance_id: str, user_data: bytes, private_ip: str, iam_instance_profile_arn: str | None, ipv6_address: str = ""
    ) -> None:
        """Boot in the background. Without machine.json the instance runs and does nothing, as a plain AMI would."""
        try:
            text = find_written_file(user_data, MACHINE_FILE)
            machine = Machine.parse(text) if text is not None else None
        except ValueError as wrong:
            # As on AWS, bad user data does not stop an instance from running; only its console would show it.
            self._log.error("instance.user_data_refused", instance_id=instance_id, because=str(wrong))
            return
        if machine is None:
            return
        if iam_instance_profile_arn is None:
            # As on AWS: without a role it can neither read the release nor report that it can't.
            self._log.error("instance.has_no_role", instance_id=instance_id)
            return
        # A profile without a role gives no credentials, so that the machine may do nothing.
        role = self._world.role_of_profile(iam_instance_profile_arn) or ""
        disk = Disk(self._world.folder / "instances" / instance_id, user_data, iam_instance_profile_arn, ipv6_address)
        self._instances[instance_id] = Instance(
            self._world.as_role(role, instance_id), instance_id, machine, disk, private_ip, boot=self._boot
        )
        self._instances[instance_id].start()

    async def terminate(self, instance_id: str) -> None:
        """End everything of this instance and delete its disk."""
        if instance := self._instances.pop(instance_id, None):
            await instance.terminate()

    async def stop(self, instance_id: str) -> None:
        """End everything of this instance; its disk stays."""
        if instance := self._instances.get(instance_id):
            await instance.stop()

    async def start(self, instance_id: str) -> None:
        """Boot a stopped instance again."""
        if instance := self._instances.get(instance_id):
            instance.start()

    async def allocate_address(self, allocation_id: str, address: str) -> int:
        """Listen on 443 of this address, or on a free port where 443 is not available; return the port."""
        elastic_ip = ElasticIp(address, self.door_of, self._world.addresses.https_port)
        port = await elastic_ip.open()
        self._addresses[allocation_id] = elastic_ip
        return port

    async def associate_address(self, allocation_id: str, instance_id: str) -> None:
        """Forward new connections to the address to this instance."""
        await self._addresses[allocation_id].associate(instance_id)

    async def disassociate_address(self, allocation_id: str) -> None:
        """Close connections to the address."""
        await self._addresses[allocation_id].associate(None)

    async def release_address(self, allocation_id: str) -> None:
        """Stop listening on the address."""
        if elastic_ip := self._addresses.pop(allocation_id, None):
            await elastic_ip.close()

    async def close(self) -> None:
        """End every instance and every listener."""
        for allocation_id in list(self._addresses):
            await self.release_address(allocation_id)
        for instance_id in list(self._instances):
            await self.terminate(instance_id)

    def door_of(self, instance_id: str, port: int) -> tuple[str, int] | None:
        """Return where a ready instance listens for requests from outside its VPC to `port`."""
        instance = self._instances.get(instance_id)
        door = instance.door if instance else None
        actual = door.public_port(port) if door else None
        return (door.address, actual) if door and actual else None

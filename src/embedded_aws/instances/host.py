"""START HERE: what the EC2 part of this AWS calls when something happens to an instance or an Elastic IP."""

from __future__ import annotations

from embedded_aws.instances.boot import Boot, boot
from embedded_aws.instances.elastic_ip import ElasticIp
from embedded_aws.instances.instance import Instance
from embedded_aws.instances.user_data import find_written_file
from embedded_aws.world import World
from sre_core import log
from sre_core.machine import MACHINE_FILE, Machine


class InstanceHost:
    """Plays the machines behind EC2's API. It runs what machine.json says and nothing else of the user data."""

    def __init__(self, world: World, boot: Boot = boot) -> None:
        self._world = world
        self._boot = boot
        self._instances: dict[str, Instance] = {}
        self._addresses: dict[str, ElasticIp] = {}
        self._log = log.get()

    async def launch(self, instance_id: str, user_data: bytes, private_ip: str, iam_instance_profile_arn: str | None) -> None:
        """Boot in the background. Without machine.json the instance runs and does nothing, as a plain AMI would."""
        try:
            text = find_written_file(user_data, MACHINE_FILE)
            machine = Machine.parse(text) if text is not None else None
        except ValueError as wrong:
            # As on AWS, bad user data does not stop an instance from running; only its console would tell.
            self._log.error("instance.user_data_refused", instance_id=instance_id, because=str(wrong))
            return
        if machine is None:
            return
        if iam_instance_profile_arn is None:
            # As on AWS: without a role it can neither read the release nor report that it can't.
            self._log.error("instance.has_no_role", instance_id=instance_id)
            return
        folder = self._world.folder / "instances" / instance_id
        self._instances[instance_id] = Instance(self._world, instance_id, machine, folder, private_ip, boot=self._boot)
        self._instances[instance_id].start()

    async def terminate(self, instance_id: str) -> None:
        """End everything of this instance and remove its disk."""
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
        """Listen on 443 of this address, or on a free port where this machine can't give that one; the answer is the port."""
        elastic_ip = ElasticIp(address, self.door_of)
        port = await elastic_ip.open()
        self._addresses[allocation_id] = elastic_ip
        return port

    async def associate_address(self, allocation_id: str, instance_id: str) -> None:
        """New connections to the address go to this instance at once."""
        await self._addresses[allocation_id].associate(instance_id)

    async def disassociate_address(self, allocation_id: str) -> None:
        """Connections to the address are closed at once."""
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
        """Where a ready instance really listens for what comes from outside its VPC to `port`."""
        instance = self._instances.get(instance_id)
        door = instance.door if instance else None
        actual = door.public_port(port) if door else None
        return (door.address, actual) if door and actual else None

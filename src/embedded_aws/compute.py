"""Report changes of the EC2 API to the instance host: instances that start, stop and end, addresses that are allocated and released."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from embedded_aws.account import Account
from embedded_aws.http_messages import Request, Response
from embedded_aws.instances.boot import Boot, boot
from embedded_aws.instances.host import InstanceHost
from embedded_aws.strict.patching import patch
from embedded_aws.verifier import Caller

PORT_TAG = "embedded-aws:port-443"

type InstanceEvent = Callable[[InstanceHost], Awaitable[None]]
_EVENTS: ContextVar[list[InstanceEvent]] = ContextVar("events")


@contextlib.asynccontextmanager
async def connect_machines(account: Account, boot: Boot = boot) -> AsyncIterator[Machines]:
    """Connect the instance host to moto; all its processes end with the block."""
    host = InstanceHost(account, boot)
    _watch_instances()
    _watch_addresses()
    try:
        yield Machines(host)
    finally:
        await host.close()


class Machines:
    """Keeps the host consistent with the EC2 API."""

    def __init__(self, host: InstanceHost) -> None:
        self._host = host
        # The host handles one event after another, in their order.
        self._order = asyncio.Lock()

    def report_after(self, app: Callable[[Request, Caller], Awaitable[Response]]) -> Callable[[Request, Caller], Awaitable[Response]]:
        """Wrap an app: its response is sent after the host has handled what the call changed."""

        async def call(request: Request, caller: Caller) -> Response:
            events: list[InstanceEvent] = []
            _EVENTS.set(events)
            answer = await app(request, caller)
            if events:
                async with self._order:
                    for event in events:
                        await event(self._host)
            return answer

        return call


def _record_event(event: InstanceEvent) -> None:
    _EVENTS.get([]).append(event)


def _watch_instances() -> None:
    from moto.ec2.models import EC2Backend
    from moto.ec2.models.instances import Instance

    @patch(EC2Backend, "run_instances")
    def run_instances(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
        reservation = original(self, *args, **kwargs)
        for instance in reservation.instances:
            _record_event(_launch_event(self, instance))
        return reservation

    @patch(Instance, "terminate")
    def terminate(original: Any, self: Any) -> Any:
        before = original(self)
        _record_event(lambda host: host.terminate(self.id))
        return before

    @patch(Instance, "stop")
    def stop(original: Any, self: Any) -> Any:
        before = original(self)
        _record_event(lambda host: host.stop(self.id))
        return before

    @patch(Instance, "start")
    def start(original: Any, self: Any) -> Any:
        before = original(self)
        _record_event(lambda host: host.start(self.id))
        return before


def _launch_event(ec2: Any, instance: Any) -> InstanceEvent:
    async def event(host: InstanceHost) -> None:
        # Read now: moto attaches the instance profile after it has created the instance.
        association = ec2.iam_instance_profile_associations.get(instance.id)
        profile_arn = association.iam_instance_profile.arn if association else None
        user_data = base64.b64decode(str(instance.user_data)) if instance.user_data else b""
        ipv6 = [address for nic in instance.nics.values() for address in nic.ipv6_addresses]
        await host.launch(instance.id, user_data, instance.private_ip, profile_arn, *ipv6[:1])

    return event


def _watch_addresses() -> None:
    from moto.ec2.models import EC2Backend

    @patch(EC2Backend, "allocate_address")
    def allocate_address(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
        address = original(self, *args, **kwargs)
        _record_event(_allocation_event(address))
        return address

    @patch(EC2Backend, "associate_address")
    def associate_address(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
        address = original(self, *args, **kwargs)
        instance = address.instance or address.eni.instance
        if instance:
            _record_event(lambda host: host.associate_address(address.id, instance.id))
        return address

    @patch(EC2Backend, "disassociate_address")
    def disassociate_address(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
        associated = {address.id for address in self.addresses if address.association_id}
        original(self, *args, **kwargs)
        for allocation_id in associated - {address.id for address in self.addresses if address.association_id}:
            _record_event(_disassociation_event(allocation_id))

    @patch(EC2Backend, "release_address")
    def release_address(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
        before = {address.id for address in self.addresses}
        original(self, *args, **kwargs)
        for allocation_id in before - {address.id for address in self.addresses}:
            _record_event(_release_event(allocation_id))


def _allocation_event(address: Any) -> InstanceEvent:
    async def event(host: InstanceHost) -> None:
        port = await host.allocate_address(address.id, address.public_ip)
        address.add_tags({PORT_TAG: str(port)})

    return event


def _disassociation_event(allocation_id: str) -> InstanceEvent:
    return lambda host: host.disassociate_address(allocation_id)


def _release_event(allocation_id: str) -> InstanceEvent:
    return lambda host: host.release_address(allocation_id)

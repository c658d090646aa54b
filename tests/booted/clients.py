"""Reach machines over IPv6, as the internet would: each at its address in its own network, since this computer has no route there."""

from __future__ import annotations

import socket
from collections.abc import Callable

from behaviours.command_line import Desk
from booted.network import namespaces_of, socket_in


def reach_over_ipv6(desk: Desk) -> Callable[[tuple[str, int]], socket.socket]:
    """Return what connects to port 443 of the machine that has an IPv6 address."""
    ec2, known = desk.client("ec2"), dict[str, str]()

    def look() -> None:
        for reservation in ec2.describe_instances()["Reservations"]:
            for instance in reservation["Instances"]:
                interfaces = instance["NetworkInterfaces"]
                known.update({each["Ipv6Address"]: instance["InstanceId"] for one in interfaces for each in one["Ipv6Addresses"]})

    def connect(to: tuple[str, int]) -> socket.socket:
        address, _ = to
        if address not in known:
            look()
        connection = socket_in(namespaces_of(known[address]).vpc, family=socket.AF_INET6)
        connection.settimeout(30)
        connection.connect((address, 443))
        return connection

    return connect

"""IP addresses for instances and Elastic IPs: loopback ones, so that nothing is ever sent to a stranger's machine."""

from __future__ import annotations

import ipaddress
import secrets
import socket

_POOL = ipaddress.IPv4Network("127.64.0.0/10")
_ONLY_ONE = "127.0.0.1"


class LoopbackAddresses:
    """Hands out loopback addresses, each once, and remembers which are this AWS's own.

    Linux answers on all of 127.0.0.0/8. Where a system does not (macOS), everything shares 127.0.0.1 and differs by port.
    """

    def __init__(self) -> None:
        self._own: set[str] = set()
        self._many = _can_bind(str(_POOL.network_address + 1))

    def take(self) -> str:
        """An address that nothing else here has; random, because another AWS may run on this machine."""
        address = self._free_address() if self._many else _ONLY_ONE
        self._own.add(address)
        return address

    def give_back(self, address: str) -> None:
        """This address is nobody's now."""
        if self._many:
            self._own.discard(address)

    def owns(self, address: str) -> bool:
        return address in self._own

    def _free_address(self) -> str:
        while True:
            # The first and last addresses of a network are not host addresses.
            address = str(_POOL.network_address + 1 + secrets.randbelow(_POOL.num_addresses - 2))
            if address not in self._own:
                return address


def _can_bind(address: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        try:
            trial.bind((address, 0))
        except OSError:
            return False
    return True

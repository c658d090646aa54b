"""Loopback IP addresses for instances and Elastic IPs, so that nothing is ever sent to another machine."""

from __future__ import annotations

import ipaddress
import secrets
import socket

_POOL = ipaddress.IPv4Network("127.64.0.0/10")
_ONLY_ONE = "127.0.0.1"


class LoopbackAddresses:
    """A pool of loopback addresses that assigns each one once and remembers which are in use.

    Linux answers on all of 127.0.0.0/8. Where a system does not (macOS), everything shares 127.0.0.1 and differs by port.
    """

    def __init__(self) -> None:
        self._own: set[str] = set()
        self._many = _can_bind(str(_POOL.network_address + 1))
        self.https_port = 443 if _can_bind(str(_POOL.network_address + 1) if self._many else _ONLY_ONE, 443) else _find_free_port()
        """The port that is used for 443 at every address of the pool, as far as it is free there."""

    def take(self) -> str:
        """Return an unused address; it is random, because another local AWS may run on the same machine."""
        address = self._free_address() if self._many else _ONLY_ONE
        self._own.add(address)
        return address

    def release(self, address: str) -> None:
        """Mark an address as unused."""
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


def _can_bind(address: str, port: int = 0) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        try:
            trial.bind((address, port))
        except OSError:
            return False
    return True


def _find_free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        trial.bind((_ONLY_ONE, 0))
        return int(trial.getsockname()[1])

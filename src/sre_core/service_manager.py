"""Serve a systemd unit: open a socket for its group alone, and report that the service is alive."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

ALIVE_EVERY = 10
"""Seconds; systemd waits for several of them before it kills a service that hangs."""


def listen(path: Path) -> socket.socket:
    """Listen on a Unix socket that only its owner and its group can connect to. Raises OSError."""
    # One that was killed has left its own behind.
    if path.is_socket():
        path.unlink()
    listening = socket.socket(socket.AF_UNIX)
    try:
        listening.bind(str(path))
        path.chmod(0o660)
        listening.listen()
    except OSError:
        listening.close()
        raise
    return listening


async def report_alive() -> None:
    """Tell systemd that the service serves, and its event loop still turns; nothing where systemd does not ask (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    # A service that can't give a sign is started again, which is what it would need.
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending:
        # An @ means the null byte of an abstract name.
        sending.sendto(b"READY=1\nWATCHDOG=1", address.replace("@", "\0", 1) if address.startswith("@") else address)

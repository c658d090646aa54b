"""Listening sockets on the ports that AWS would use, or on free ones where this machine can't give those."""

from __future__ import annotations

import errno
import socket

_NOT_OURS = frozenset((errno.EACCES, errno.EPERM, errno.EADDRINUSE))


def listen_at(address: str, port: int, *, strictly: bool = False) -> socket.socket:
    """A listening TCP socket: on `port`, else (unless `strictly`) on a free one. Raises OSError where neither can be had."""
    try:
        return _listening(address, port)
    except OSError as refused:
        if strictly or refused.errno not in _NOT_OURS:
            raise
    return _listening(address, 0)


def port_of(listening: socket.socket) -> int:
    """The port on which a socket really listens."""
    return int(listening.getsockname()[1])


def _listening(address: str, port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((address, port))
        opened.listen(512)
        opened.setblocking(False)
    except OSError:
        opened.close()
        raise
    return opened

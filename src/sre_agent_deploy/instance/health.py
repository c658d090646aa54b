"""Ask a service for its health: on its socket, and through the front door."""

from __future__ import annotations

import hashlib
import http.client
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

_LOOK_EVERY = 0.5
_ANSWER_WITHIN = 5


class _UnixConnection(http.client.HTTPConnection):
    """An HTTP connection over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("service", timeout=_ANSWER_WITHIN)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_ANSWER_WITHIN)
        self.sock.connect(str(self._path))


def is_healthy_on_socket(path: Path, health_path: str) -> bool:
    """Say if a service answers its health path with 200."""
    return _answers(_UnixConnection(path), health_path)


def is_healthy_through_front_door(address: str, port: int, path: str, certificate: Path) -> bool:
    """Say if a path answers 200 over TLS with exactly this certificate, whatever name it is for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(address, port, timeout=_ANSWER_WITHIN, context=context)
    try:
        connection.connect()
        presented = connection.sock.getpeercert(binary_form=True)
    except OSError:
        return False
    if presented is None or hashlib.sha256(presented).digest() != leaf_fingerprint(certificate):
        connection.close()
        return False
    return _answers(connection, path)


def leaf_fingerprint(certificate: Path) -> bytes:
    """Return the SHA-256 of the first certificate of a PEM chain."""
    first, end, _ = certificate.read_text(encoding="ascii").partition("-----END CERTIFICATE-----")
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first[first.index("-----BEGIN") :] + end + "\n")).digest()


def wait_until(true: Callable[[], bool], seconds: float) -> bool:
    """Wait until a condition is true, at most some seconds. Return True if it became true."""
    deadline = time.monotonic() + seconds
    while not (now := true()) and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY)
    return now


def _answers(connection: http.client.HTTPConnection, path: str) -> bool:
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()

"""A service and its unit: the socket, and the sign of life."""

from __future__ import annotations

import asyncio
import socket
import stat
from pathlib import Path

import pytest

from sre_core import service_manager


def test_who_can_connect(tmp_path: Path) -> None:
    """Only owner and group can connect; what a killed process left is replaced, and a file is not."""
    path = tmp_path / "s.sock"
    for _ in range(2):
        with service_manager.listen(path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
    (tmp_path / "file").write_text("kept")
    with pytest.raises(OSError, match="in use"):
        service_manager.listen(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize("abstract", [False, True])
def test_the_sign_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool) -> None:
    """systemd's socket gets it; without a socket, or without a reader, nothing happens."""
    address = f"@{tmp_path}" if abstract else str(tmp_path / "notify")
    asyncio.run(service_manager.report_alive())
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    asyncio.run(service_manager.report_alive())
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(address.replace("@", "\0", 1))
        systemd.settimeout(5)
        asyncio.run(service_manager.report_alive())
        assert systemd.recv(100) == b"READY=1\nWATCHDOG=1"

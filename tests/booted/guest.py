"""Run commands in a virtual machine by its guest agent: https://www.qemu.org/docs/master/interop/qemu-ga-ref.html."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

AGENT_SOCKET = "agent"


def run(agent: Path, command: tuple[str, ...], longest: float) -> subprocess.CompletedProcess[str]:
    """Run a command as root and return its end. Raises OSError while no agent answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(str(agent))
        _ask(connection, "guest-sync", id=time.monotonic_ns())
        pid = _ask(connection, "guest-exec", path=command[0], arg=list(command[1:]), **{"capture-output": True})["pid"]
        deadline = time.monotonic() + longest
        while not (status := _ask(connection, "guest-exec-status", pid=pid))["exited"]:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(command, longest)
            time.sleep(0.1)
    # A command that was ended by a signal has no exit code.
    return subprocess.CompletedProcess(command, status.get("exitcode", 1), _text(status, "out-data"), _text(status, "err-data"))


def _ask(connection: socket.socket, request: str, **arguments: object) -> Any:
    """Ask the agent, and return what it returns; `guest-sync` passes over what it answered to others before."""
    connection.sendall(json.dumps({"execute": request, "arguments": arguments}).encode() + b"\n")
    while True:
        answer = json.loads(_read_line(connection))
        if "error" in answer:
            raise OSError(f"{request}: {answer['error'].get('desc')}")
        if request != "guest-sync" or answer["return"] == arguments["id"]:
            return answer["return"]


def _read_line(connection: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        if not (more := connection.recv(65536)):
            raise ConnectionError("the agent has closed its connection")
        line += more
    return line


def _text(status: Mapping[str, str], part: str) -> str:
    return base64.b64decode(status.get(part, "")).decode(errors="replace")

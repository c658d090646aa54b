"""One service as a process: it serves an application on a Unix socket until SIGTERM."""

from __future__ import annotations

import json
import logging
import socket as net
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from sre_core import clock, service_manager, tracing
from sre_core.problem import Problem, Refused

# systemd kills the process five seconds after SIGTERM; open requests get most of them.
GRACE_SECONDS = 3


class JsonLines(logging.Formatter):
    """Formats uvicorn's own messages as JSON lines, like all others."""

    def format(self, record: logging.LogRecord) -> str:
        event = {"event": "server.message", "level": record.levelname.lower(), "timestamp": clock.stamp(), "message": record.getMessage()}
        return json.dumps(event)


class Server(uvicorn.Server):
    """uvicorn's server, which sends the last spans before it ends the process by the signal that it got."""

    async def shutdown(self, sockets: list[net.socket] | None = None) -> None:
        await super().shutdown(sockets)
        tracing.stop()


def serve(app: FastAPI, socket: Path) -> None:
    """Answer on `socket` until SIGTERM."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    try:
        listening = service_manager.listen(socket)
    except OSError as fault:
        raise Refused(_unusable(socket, fault)) from None
    Server(
        uvicorn.Config(
            app,
            loop="asyncio",  # these answers are small: importing uvloop costs more than it gains
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            callback_notify=service_manager.report_alive,
            timeout_notify=service_manager.ALIVE_EVERY,
        )
    ).run(sockets=[listening])


def _unusable(socket: Path, fault: OSError) -> Problem:
    return Problem(
        code="SVC-SOCKET-UNUSABLE",
        what=f"The service can't listen on {socket}.",
        why=f"{fault.strerror or fault}.",
        do=("Give --socket a path of less than 100 characters in a folder that exists and that this user may write to.",),
    )

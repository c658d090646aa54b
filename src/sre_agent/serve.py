"""The assistant as a process: it answers on a Unix socket, or on a TCP port, until SIGTERM."""

from __future__ import annotations

import os
from pathlib import Path

import uvicorn

from sre_agent import runtime, transport
from sre_agent.assistant import assemble
from sre_agent.connectivity import Connectivity, plan_way
from sre_agent.jwt import Keys, Verifier
from sre_agent.oidc import Discovery
from sre_agent.reasoners import create_reasoner
from sre_agent.sessions.conversation import open_conversation
from sre_agent.settings import read_settings
from sre_core import log, service_manager, tracing


def serve(socket: str | None, host: str = "", port: int = 0) -> None:
    """Answer on `socket`, or else on `host` and `port`; connections that are still open five seconds after SIGTERM are cut."""
    settings = read_settings(os.environ)
    if problem := tracing.start("assistant", os.environ):
        log.get().warning("traces.off", **problem.to_json())
    conversation = open_conversation(os.environ)
    issuer_http = transport.create_client()
    discovery = Discovery(issuer_http, settings.oidc_discovery_url)
    verifier = Verifier(Keys(issuer_http, discovery), discovery, client_id=settings.caller_client_id, scope=settings.caller_scope)
    assistant = assemble(settings, issuer_http, discovery, create_reasoner(settings.reasoner, os.environ))
    config = uvicorn.Config(
        runtime.build_app(assistant, verifier, Connectivity(plan_way(settings)), conversation),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # uvicorn would believe X-Forwarded-For of every local peer
        timeout_graceful_shutdown=4,
        callback_notify=service_manager.report_alive,
        timeout_notify=service_manager.ALIVE_EVERY,
    )
    uvicorn.Server(config).run(sockets=[service_manager.listen(Path(socket))] if socket else None)

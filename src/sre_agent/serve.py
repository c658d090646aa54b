"""Runs the assistant on a Unix socket until SIGTERM."""

from __future__ import annotations

import os

import uvicorn

from sre_agent import runtime, settings, transport
from sre_agent.assistant import assemble
from sre_agent.jwt import Keys, Verifier
from sre_agent.oidc import Discovery


def serve(socket: str) -> None:
    """Answer on `socket`; connections that still run five seconds after SIGTERM are cut."""
    told = settings.read_settings(os.environ)
    issuer_http = transport.create_client()
    discovery = Discovery(issuer_http, told.oidc_discovery_url)
    verifier = Verifier(Keys(issuer_http, discovery), discovery, client_id=told.caller_client_id, scope=told.caller_scope)
    application = runtime.build_app(assemble(told, issuer_http, discovery), verifier)
    config = uvicorn.Config(
        application, uds=socket, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=4
    )
    uvicorn.Server(config).run()

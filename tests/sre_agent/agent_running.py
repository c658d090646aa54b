"""The assistant's own application, wired to a gateway and an issuer of this test run."""

from __future__ import annotations

from agent_https import BUSY, Authority, connect
from agent_issuer import CALLER_CLIENT, CALLER_SCOPE, GATEWAY_CLIENT, GATEWAY_SCOPE, Issuer
from starlette.applications import Starlette

from sre_agent import runtime
from sre_agent.assistant import Assistant
from sre_agent.connectivity import Connectivity, Way
from sre_agent.jwt import Keys, Verifier
from sre_agent.oidc import Discovery
from sre_agent.reasoners.rules.reasoner import Rules
from sre_agent.tokens import BearerAuth, Client, TokenSource
from sre_core.secret import Secret


def assistant_app(gateway_url: str, issuer: Issuer, authority: Authority, *, secret: str = "", discovery_url: str = "") -> Starlette:
    """Build the app that `sre-agent serve` serves, trusting the test's authority; a given secret or issuer is its alone, as on a
    machine."""
    http = connect(authority)
    discovery = Discovery(http, discovery_url or issuer.discovery_url)
    client = Client(GATEWAY_CLIENT, Secret(secret or issuer.secrets[GATEWAY_CLIENT]), GATEWAY_SCOPE)
    gateway_http = connect(authority, BearerAuth(TokenSource(http, discovery, client)))
    verifier = Verifier(Keys(http, discovery), discovery, client_id=CALLER_CLIENT, scope=CALLER_SCOPE)
    way = Way(gateway_url, discovery_url or issuer.discovery_url, client, lambda auth: connect(authority, auth), call_seconds=BUSY)
    assistant = Assistant(gateway_url, gateway_http, http, reasoner=Rules(), call_seconds=BUSY)
    return runtime.build_app(assistant, verifier, Connectivity(way))

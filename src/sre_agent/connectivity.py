"""Connectivity from where the assistant runs: each hop of a question is tried, and the first that does not work is named."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

import httpx2

from sre_agent import transport
from sre_agent.gateway import CALL_SECONDS, GatewayTools, open_tools
from sre_agent.oidc import Discovery
from sre_agent.settings import Settings
from sre_agent.tokens import BearerAuth, Client, TokenSource
from sre_core import release
from sre_core.hops import CALLED, HOPS
from sre_core.problem import Problem, Refused
from sre_core.redaction import redact

KEPT_SECONDS = 10.0
"""A result is kept for this long: however many ask, the hops are tried six times a minute at most."""
TRIED = HOPS[: HOPS.index("model")]
"""The hops that are tried here. If a language model answers is seen in each investigation."""


@dataclass(frozen=True)
class BrokenHop:
    """The first hop that does not work: for which parts of the deployment, what was seen, and why."""

    hop: str
    parts: tuple[str, ...]
    what: str
    why: str


@dataclass(frozen=True)
class Way:
    """The way of the assistant's own questions. `connect` opens new connections, so that nothing that is open hides a fault."""

    gateway_url: str
    discovery_url: str
    client: Client
    connect: Callable[[httpx2.Auth | None], httpx2.AsyncClient]
    prefix_token_endpoint: str = ""
    call_seconds: float = CALL_SECONDS


def plan_way(settings: Settings) -> Way:
    """Plan the way by the settings of a serving assistant."""
    client = Client(settings.gateway_client_id, settings.gateway_client_secret, settings.gateway_scope)
    return Way(
        settings.gateway_url,
        settings.oidc_discovery_url,
        client,
        lambda auth: transport.create_client(auth=auth),
        settings.prefix_token_endpoint,
    )


class Connectivity:
    """Tries the hops, once for all who ask within some seconds."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._lock = asyncio.Lock()
        self._until = 0.0
        self._found: BrokenHop | None = None

    async def report(self) -> dict[str, object]:
        """Return the hops that work, and the first that does not, without secrets."""
        async with self._lock:
            if time.monotonic() >= self._until:
                self._found = await find_broken_hop(self._way)
                self._until = time.monotonic() + KEPT_SECONDS
            return _describe(self._found)


def _describe(broken: BrokenHop | None) -> dict[str, object]:
    if broken is None:
        return {"works": list(TRIED)}
    shown = {**asdict(broken), "what": redact(broken.what), "why": redact(broken.why)}
    return {"works": list(TRIED[: TRIED.index(broken.hop)]), "broken": shown}


async def find_broken_hop(way: Way) -> BrokenHop | None:
    """Go the whole way with a token of its own; return the first hop that does not work, None if all do."""
    async with way.connect(None) as issuer_http:
        tokens = TokenSource(issuer_http, Discovery(issuer_http, way.discovery_url), way.client, way.prefix_token_endpoint)
        try:
            await tokens.token()
        except Refused as refused:
            return _break("token", "login", refused.problems[0])
        except OSError as error:
            return BrokenHop("token", ("login",), "The secret of the assistant's client can't be read.", str(error))
        try:
            async with way.connect(BearerAuth(tokens)) as http, open_tools(way.gateway_url, http, way.call_seconds) as tools:
                return _find_missing(tools) or await _find_failing(tools)
        except Refused as refused:
            return _break("gateway", "gateway", refused.problems[0])


def _break(hop: str, part: str, problem: Problem) -> BrokenHop:
    """Name the hop that the problem itself names, or else the one that was tried."""
    return BrokenHop(problem.context.get("hop", hop), (part,), problem.what, problem.why)


def _find_missing(tools: GatewayTools) -> BrokenHop | None:
    """Find targets of which the gateway lists no tool."""
    named = {tool.name.partition("___")[0] for tool in tools.offered().values()}
    missing = tuple(backend.name for backend in release.backends() if backend.name not in named)
    if not missing:
        return None
    return BrokenHop("target", missing, f"The gateway lists no tool of {', '.join(missing)}.", f"It lists tools of {_join(named)}.")


async def _find_failing(tools: GatewayTools) -> BrokenHop | None:
    """Call a tool of each target, and find those that fail."""
    answers = await asyncio.gather(*(tools.call(operation) for operation in CALLED.values()))
    failed = {target: answer.failure for target, answer in zip(CALLED, answers, strict=True) if answer.failure}
    if not failed:
        return None
    why = " | ".join(f"{target}: {reason[:300]}" for target, reason in failed.items())
    return BrokenHop("backend", tuple(failed), f"Calls of tools fail for {', '.join(failed)}.", why)


def _join(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "no target"

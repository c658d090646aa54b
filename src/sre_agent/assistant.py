"""One assistant: its connections, its token, its reasoner, and an investigation for each question."""

from __future__ import annotations

from dataclasses import replace

import httpx2

from sre_agent import supervisor, transport
from sre_agent.gateway import CALL_SECONDS, open_tools
from sre_agent.oidc import Discovery
from sre_agent.pool import Pool
from sre_agent.reasoners import DEFAULT, REASONERS, Reasoner, create_reasoner
from sre_agent.report import Report
from sre_agent.request import Request
from sre_agent.settings import Settings
from sre_agent.tokens import BearerAuth, Client, TokenSource
from sre_agent.usage import UsageLog
from sre_agent.watching import Watch, WatchedTools
from sre_core.problem import Problem, Refused


class Assistant:
    """Holds what questions share: the reasoner, and the connections to gateway and issuer. Nothing of one question stays for the next."""

    def __init__(
        self,
        gateway_url: str,
        gateway_http: httpx2.AsyncClient,
        issuer_http: httpx2.AsyncClient,
        *,
        reasoner: Reasoner,
        call_seconds: float = CALL_SECONDS,
        pool: Pool | None = None,
        usage: UsageLog | None = None,
    ) -> None:
        self._gateway_url = gateway_url
        self._gateway_http = gateway_http
        self._issuer_http = issuer_http
        self._reasoner = reasoner
        self._call_seconds = call_seconds
        self._pool = pool or Pool()
        self._usage = usage or UsageLog()

    async def investigate(self, prompt: str) -> Report:
        """Answer a question that comes without options."""
        return await self.answer(Request(prompt=prompt))

    async def answer(self, request: Request, watch: Watch | None = None) -> Report:
        """Answer one question, and show each call to `watch`.

        Raises Refused when no tool can be reached at all, and Busy when too many wait.
        """
        reasoner = self._choose(request.reasoner)
        with self._usage.record(self._pool.waiting) as usage:
            async with (
                self._pool.enter() as turn,
                open_tools(self._gateway_url, self._gateway_http, self._call_seconds, self._pool) as tools,
            ):
                report = await supervisor.answer(request, WatchedTools(tools, watch) if watch else tools, reasoner, watch)
            usage.finish(report, tools.calls, tools.failed_calls)
        return replace(report, notes=(*report.notes, turn.note)) if turn.queued else report

    def _choose(self, name: str) -> Reasoner:
        """Choose the deployment's reasoner, or the rules, which every deployment has. Raises Refused for any other."""
        if name in {"", self._reasoner.name}:
            return self._reasoner
        if name == DEFAULT:
            return create_reasoner(DEFAULT, {})
        raise Refused(_not_configured(name, self._reasoner.name) if name in REASONERS else _unknown(name, self._reasoner.name))

    async def close(self) -> None:
        """Close the connections."""
        await self._gateway_http.aclose()
        await self._issuer_http.aclose()


def assemble(settings: Settings, issuer_http: httpx2.AsyncClient, discovery: Discovery, reasoner: Reasoner) -> Assistant:
    """Assemble an assistant that calls the gateway with its own client's token."""
    client = Client(settings.gateway_client_id, settings.gateway_client_secret, settings.gateway_scope)
    tokens = TokenSource(issuer_http, discovery, client, settings.prefix_token_endpoint)
    gateway_http = transport.create_client(auth=BearerAuth(tokens), seconds=15.0, traced=True)
    return Assistant(
        settings.gateway_url,
        gateway_http,
        issuer_http,
        reasoner=reasoner,
        usage=UsageLog(settings.usage_file, printed=settings.usage_printed),
    )


def _unknown(name: str, configured: str) -> Problem:
    asked = " or ".join(f"--reasoner {known}" for known in dict.fromkeys((configured, DEFAULT)))
    return Problem(
        code="ASSISTANT-REASONER-NOT-CONFIGURED",
        what=f"There is no reasoner {name!r}.",
        why=f"The reasoners are {', '.join(REASONERS)}. This deployment is configured for {configured}.",
        do=(f"Ask with {asked}, or without the option.",),
    )


def _not_configured(name: str, configured: str) -> Problem:
    return Problem(
        code="ASSISTANT-REASONER-NOT-CONFIGURED",
        what=f"This deployment can't answer with the reasoner {name!r}.",
        why=f"It is configured for {configured}; the rules can be asked everywhere.",
        do=(
            f"Ask with --reasoner {configured}, or without the option.",
            "To use a language model, set assistant.reasoner in config.yaml and run: sre-agent-deploy deploy --config config.yaml",
        ),
    )

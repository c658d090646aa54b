"""Many questions at the same time: all get full evidence, or a request to come back later."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from agent_backends import tools_and_backend
from agent_gateway import Gateway
from agent_https import BUSY, Authority, connect
from agent_issuer import CALLER_CLIENT, CALLER_SCOPE, GATEWAY_CLIENT, GATEWAY_SCOPE, Issuer
from httpx2 import ASGITransport, AsyncClient

from sre_agent import runtime
from sre_agent.assistant import Assistant
from sre_agent.evidence import Answer
from sre_agent.jwt import Keys, Verifier
from sre_agent.oidc import Discovery
from sre_agent.pool import Busy, Pool
from sre_agent.reasoners.rules.reasoner import Rules
from sre_agent.request import Request
from sre_agent.tokens import BearerAuth, Client, TokenSource
from sre_agent.usage import UsageLog
from sre_core import clock
from sre_core.problem import Refused
from sre_core.secret import Secret


def assistant(gateway: Gateway, authority: Authority, issuer: Issuer, pool: Pool, usage: UsageLog | None = None) -> Assistant:
    http = connect(authority)
    client = Client(GATEWAY_CLIENT, Secret(issuer.secrets[GATEWAY_CLIENT]), GATEWAY_SCOPE)
    gateway_http = connect(authority, BearerAuth(TokenSource(http, Discovery(http, issuer.discovery_url), client)))
    return Assistant(gateway.url, gateway_http, http, reasoner=Rules(), call_seconds=BUSY, pool=pool, usage=usage)


def test_load_costs_no_evidence(gateway: Gateway, authority: Authority, issuer: Issuer) -> None:
    """Ten questions at once have the same evidence as one, those that queued say so, and no more calls are in flight than allowed."""
    _, backend = tools_and_backend("crash-loop")
    inside, most = 0, 0
    sent: list[str] = []

    async def counted(tool: str, arguments: Mapping[str, Any]) -> tuple[int, str]:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        sent.append(json.dumps([tool, arguments], sort_keys=True))
        try:
            await asyncio.sleep(0.002)
            return await backend(tool, arguments)
        finally:
            inside -= 1

    async def run() -> list[tuple[int, int, bool]]:
        asked = assistant(gateway, authority, issuer, Pool(calls=4, answered=3))
        try:
            reports = await asyncio.gather(*(asked.answer(Request(prompt="Is everything ok?")) for _ in range(10)))
        finally:
            await asked.close()
        return [(len(report.evidence), len(report.failed), any("waited" in note for note in report.notes)) for report in reports]

    gateway.backend = counted
    found = asyncio.run(run())
    assert len({evidence for evidence, _, _ in found}) == 1
    assert found[0][0] > 2
    assert {failed for _, failed, _ in found} == {0}
    assert sorted(queued for _, _, queued in found) == [False] * 3 + [True] * 7
    assert most <= 4
    # Three are answered at a time: the first ones' first look is the same, and is sent once.
    assert len(sent) < 10 * len(set(sent))


def test_a_call_that_several_questions_make_at_a_time() -> None:
    """It is sent once; where the question that sent it ends before the answer, another one sends it; later it is sent anew."""
    sent: list[str] = []

    async def run() -> None:
        pool, go = Pool(), asyncio.Event()

        def ask(who: str) -> asyncio.Task[Answer]:
            async def send() -> Answer:
                sent.append(who)
                await go.wait()
                return Answer(tool=who, arguments={}, at=clock.now())

            return asyncio.create_task(pool.call("pods", send))

        first, second, third = ask("first"), ask("second"), ask("third")
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait((first,))
        go.set()
        assert [(await second).tool, (await third).tool] == ["second", "second"]
        assert (await ask("fourth")).tool == "fourth"

    asyncio.run(run())
    assert sent == ["first", "second", "fourth"]


def test_more_than_may_wait(gateway: Gateway, authority: Authority, issuer: Issuer) -> None:
    """One question beyond the queue is refused with 429 and Retry-After; those in the queue are answered."""
    _, backend = tools_and_backend("healthy")

    async def run() -> list[tuple[int, str | None]]:
        http, asked = connect(authority), assistant(gateway, authority, issuer, Pool(answered=1, waiting=1))
        discovery = Discovery(http, issuer.discovery_url)
        verifier = Verifier(Keys(http, discovery), discovery, client_id=CALLER_CLIENT, scope=CALLER_SCOPE)
        unused: Any = None
        app = runtime.build_app(asked, verifier, unused)
        headers = {"authorization": f"Bearer {issuer.token()}"}
        async with http, AsyncClient(transport=ASGITransport(app), base_url="http://assistant", timeout=BUSY, headers=headers) as caller:
            body = {"input": {"prompt": "How many nodes are there?"}}
            answers = await asyncio.gather(*(caller.post("/invocations", json=body) for _ in range(3)))
            await asked.close()
        return sorted((answer.status_code, answer.headers.get("retry-after")) for answer in answers)

    gateway.backend = backend
    assert asyncio.run(run()) == [(200, None), (200, None), (429, "10")]


def test_a_question_that_ends_leaves_the_queue() -> None:
    """A place is free again after an answer, and after a failure."""

    async def run() -> None:
        pool = Pool(answered=1, waiting=0)
        with pytest.raises(ValueError, match="broken"):
            async with pool.enter():
                with pytest.raises(Busy):
                    async with pool.enter():
                        pass
                raise ValueError("broken")
        async with pool.enter():
            pass

    asyncio.run(run())


@pytest.mark.parametrize(
    ("name", "says"), [("nonsense", "There is no reasoner 'nonsense'"), ("bedrock", "This deployment can't answer with")]
)
def test_a_reasoner_that_a_deployment_lacks(name: str, says: str) -> None:
    """Only an existing reasoner gets advice how to configure it."""

    async def ask() -> None:
        http = AsyncClient()
        await Assistant("https://gateway.invalid", http, http, reasoner=Rules()).answer(Request(prompt="what is wrong?", reasoner=name))

    with pytest.raises(Refused) as refused:
        asyncio.run(ask())
    problem = refused.value.problems[0]
    assert (says in problem.what, any("assistant.reasoner" in step for step in problem.do)) == (True, name == "bedrock")

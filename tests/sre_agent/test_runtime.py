"""The assistant over HTTP: who gets in, what goes in, what comes out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from agent_backends import tools_and_backend
from agent_gateway import Gateway
from agent_https import Authority, connect, https
from agent_issuer import CALLER_CLIENT, CALLER_SCOPE, GATEWAY_CLIENT, Issuer
from agent_running import assistant_app


@dataclass(frozen=True)
class Running:
    """An assistant that answers over TLS."""

    url: str
    authority: Authority

    def post(self, body: Any, token: str | None = None, **headers: str) -> httpx2.Response:
        async def run() -> httpx2.Response:
            async with connect(self.authority) as http:
                given = {"authorization": f"Bearer {token}"} if token else {}
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                return await http.post(f"{self.url}/invocations", content=content, headers={**given, **headers})

        return asyncio.run(run())

    def get(self, path: str, **headers: str) -> httpx2.Response:
        async def run() -> httpx2.Response:
            async with connect(self.authority) as http:
                return await http.get(f"{self.url}{path}", headers=headers)

        return asyncio.run(run())


@pytest.fixture(scope="module")
def running(authority: Authority, issuer: Issuer) -> Iterator[Running]:
    """An assistant over the crash loop."""
    tools, backend = tools_and_backend("crash-loop")
    with (
        Gateway.running(tools, backend, issuer, authority) as gateway,
        https(assistant_app(gateway.url, issuer, authority), authority) as url,
    ):
        yield Running(url, authority)


def test_a_question(running: Running, issuer: Issuer) -> None:
    """A caller with a token gets message, time, model and the report, by the contract of AgentCore Runtime."""
    response = running.post({"input": {"prompt": "What is wrong?", "session_id": "s" * 33, "user_id": "u"}}, issuer.token())
    assert response.status_code == 200
    output = response.json()["output"]
    assert output["message"].startswith("# Root cause: payment-service")
    assert output["model"] == "rules"
    assert output["timestamp"].endswith("Z")
    assert output["report"]["verdict"] == "root_cause_found"
    assert len(output["report"]["root_cause"]["evidence"]) >= 3


def test_a_question_with_progress(running: Running, issuer: Issuer) -> None:
    """A caller that accepts events sees each call of a tool, and then the answer that the others get; a token is asked for all the same."""
    body, events = {"input": {"prompt": "How many nodes are there?"}}, {"accept": "text/event-stream"}
    response = running.post(body, issuer.token(), **events)
    assert response.headers["content-type"].startswith("text/event-stream")
    named = [line.removeprefix("event: ") for line in response.text.splitlines() if line.startswith("event: ")]
    assert named == ["looking", "answer"]
    data = [json.loads(line.removeprefix("data: ")) for line in response.text.splitlines() if line.startswith("data: ")]
    assert data[0] == {"tool": "get_node_status"}
    assert data[1]["output"]["message"].startswith("# 3 nodes, all ready")
    assert running.post(body, None, **events).status_code == 401


def test_ping(running: Running) -> None:
    """Health needs no token and says since when."""
    answer = running.get("/ping")
    assert answer.status_code == 200
    assert answer.json()["status"] == "Healthy"
    assert isinstance(answer.json()["time_of_last_update"], int)


@pytest.mark.parametrize("reason", ["missing_token", "invalid_token", "expired_token", "wrong_client", "insufficient_scope"])
def test_refusals(running: Running, issuer: Issuer, capfd: pytest.CaptureFixture[str], reason: str) -> None:
    """Each refusal has a JSON body, a challenge, and exactly one security event without the token, of the peer."""
    tokens = {
        "missing_token": None,
        "invalid_token": "x.y.z",
        "expired_token": issuer.token(exp=1),
        "wrong_client": issuer.token(GATEWAY_CLIENT),
        "insufficient_scope": issuer.token(CALLER_CLIENT, scope="other"),
    }
    capfd.readouterr()
    response = running.post({"input": {"prompt": "?"}}, tokens[reason], **{"x-forwarded-for": "203.0.113.9"})
    assert response.status_code == (403 if reason == "insufficient_scope" else 401)
    assert response.json()["error"]["code"] == reason
    assert response.headers["www-authenticate"].startswith("Bearer")
    events = [json.loads(line) for line in capfd.readouterr().err.splitlines() if "security.access_denied" in line]
    assert [(_reason(event), event["src_endpoint"]["ip"]) for event in events] == [((reason, "assistant"), "127.0.0.1")]
    assert tokens[reason] is None or tokens[reason] not in json.dumps(events)


def _reason(event: dict[str, Any]) -> tuple[str, str]:
    service = event.get("service") or event["api"]["service"]
    return event["status_detail"], service["name"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b'"x"',
        b"[]",
        b"[" * 60_000,
        {},
        {"input": {}},
        {"input": "x"},
        {"input": {"prompt": 1}},
        {"input": {"prompt": " "}},
        {"input": {"prompt": "x" * 9000}},
        b"x" * 100_000,
    ],
)
def test_bodies_that_are_no_question(running: Running, issuer: Issuer, body: Any) -> None:
    """An unreadable body is a 400 that says how to ask, never a traceback."""
    response = running.post(body, issuer.token())
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "INVOCATION-INVALID"
    assert response.json()["error"]["do"]


def test_a_body_that_is_too_long(running: Running, issuer: Issuer) -> None:
    """A question over the limit is refused for its length, not for its form."""
    response = running.post({"input": {"prompt": "x" * 70_000}}, issuer.token())
    assert response.status_code == 400
    assert "longer than 65536 bytes" in response.text


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/metrics", "/invocations", "/ping/x"])
def test_paths_that_are_not_there(running: Running, issuer: Issuer, capfd: pytest.CaptureFixture[str], path: str) -> None:
    """Without a token every path but /ping is refused alike, in JSON and with one security event; with one it is not found."""
    refused = running.get(path)
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "missing_token")
    assert capfd.readouterr().err.count("security.access_denied") == 1
    absent = running.get(path, authorization=f"Bearer {issuer.token()}")
    assert (absent.status_code, absent.json()["error"]["code"]) == (404, "INVOCATION-PATH")


def test_a_gateway_that_is_gone(authority: Authority, issuer: Issuer) -> None:
    """Without a gateway the answer is a Problem with a next step."""
    with https(assistant_app("https://127.0.0.1:9/mcp", issuer, authority), authority) as url:
        response = Running(url, authority).post({"input": {"prompt": "?"}}, issuer.token())
    assert response.status_code == 502
    assert response.json()["error"]["code"] == "GATEWAY-UNUSABLE"


def test_scope_is_required() -> None:
    """The assistant's scope is its own, not the gateway's."""
    assert CALLER_SCOPE == "sre-agent/assistant.invoke"

"""One question is one trace over every program that works on it, and nothing that anybody wrote is in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from behaviours.command_line import Desk
from fixtures.otlp import Receiver, Seen, receiver
from sre_core import release

SECRET = "AKIA" + "Q7RT2ZX4MN8PLK3V"
QUESTION = f"Why does payment fail with password=hunter2 and {SECRET}?"


@dataclass(frozen=True)
class Traced:
    """A deployment in local mode, and the receiver of its traces."""

    desk: Desk
    receiver: Receiver


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    with receiver() as found:
        desk = Desk(tmp_path_factory.mktemp("traced"))
        desk.configure(monitoring={"traces": found.url})
        ended = desk.deploy("deploy")
        assert ended.code == 0, ended.text
        yield Traced(desk, found)
        desk.close()


@pytest.fixture(scope="module")
def spans(traced: Traced) -> list[Seen]:
    """The spans of one question."""
    ended = traced.desk.agent("--prompt", QUESTION, "--json")
    assert ended.code == 0, ended.text
    asked = json.loads(ended.out)["investigation_id"]

    def root(seen: list[Seen]) -> list[Seen]:
        return [span for span in seen if span.facts.get("sre.investigation") == asked]

    def is_whole(seen: list[Seen]) -> bool:
        inside = [span.name for span in seen if root(seen) and span.trace == root(seen)[0].trace]
        return inside.count("operation") >= inside.count("call_tool") > 0

    seen = traced.receiver.wait_for(is_whole)
    return [span for span in seen if span.trace == root(seen)[0].trace]


def test_one_trace_over_all_hops(spans: list[Seen]) -> None:
    """The assistant's question has the calls of tools below it, and each call the operation of the service behind the gateway."""
    by_name = {name: [span for span in spans if span.name == name] for name in ("investigation", "call_tool", "operation")}
    [question] = by_name["investigation"]
    assert (question.service, question.facts["sre.outcome"]) == ("sre-agent-assistant", "root_cause_found")
    assert {span.parent for span in by_name["call_tool"]} == {question.id}
    assert {span.parent for span in by_name["operation"]} <= {span.id for span in by_name["call_tool"]}
    assert {span.service for span in by_name["operation"]} == {f"sre-agent-{service.name}" for service in release.backends()}
    assert {span.facts["http.response.status_code"] for span in by_name["operation"]} <= {200, 404}
    assert all(span.facts["http.route"].startswith("/") for span in by_name["operation"])


def test_nothing_that_anybody_wrote(traced: Traced, spans: list[Seen]) -> None:
    """No secret, no word of the question, no subject of an answer, no token and no key is in what was sent."""
    sent = b"".join(traced.receiver.bodies)
    client = traced.desk.client("secretsmanager")
    kept = [client.get_secret_value(SecretId=each["ARN"])["SecretString"] for each in client.list_secrets()["SecretList"]]
    keys = [value for text in kept for value in json.loads(text).values() if isinstance(value, str) and len(value) > 8]
    assert len(spans) > 10
    assert len(keys) >= 3
    for text in ("payment", "hunter2", "password", SECRET, "shop", "Bearer", "eyJ", *keys):
        assert text.encode() not in sent, text


def test_a_verification_sees_them(traced: Traced) -> None:
    """The deployment's own report says that they are accepted."""
    [document] = traced.desk.state_dir.glob("reports/sre-*/verification.json")
    findings = {finding["check"]: finding["status"] for finding in json.loads(document.read_text())["findings"]}
    assert findings["traces.accepted"] == "passed"


def test_a_receiver_that_refuses(traced: Traced) -> None:
    """A warning names it; the deployment is complete all the same."""
    traced.receiver.status = 401
    try:
        ended = traced.desk.deploy("verify")
    finally:
        traced.receiver.status = 200
    assert ended.code == 0, ended.text
    assert "FAIL traces.accepted" in ended.text

"""The deployed assistant is asked about two incidents, one after the other: the second comes by an update of the deployment.

Each question is one trace over every program that works on it, and nothing that anybody wrote is in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from behaviours.asking import CLIENTS, ask_in_session, asking
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


def test_another_incident_by_an_update(traced: Traced, tried: Callable[[str, int], None]) -> None:
    """Each root cause is right and cites evidence that can be looked at; the update touches only what depends on the change."""
    desk = traced.desk
    first = _asked(desk)
    assert first["root_cause"]["kind"] == "bad_configuration"
    assert first["root_cause"]["service"] == "payment-service"
    _look_things_up(desk)

    desk.configure(services={"recording": "memory-leak"}, monitoring={"traces": traced.receiver.url})
    plan = json.loads(desk.deploy("plan", "--json").out)["changes"]
    assert {change["name"]: change["action"] for change in plan if change["action"] != "keep"} == {
        "instance": "replace",
        "address_association": "update",
    }
    [authority] = desk.state_dir.glob("connections/*.ca.pem")
    with asking(desk, authority) as clients:
        updated = desk.deploy("deploy")
    assert updated.code == 0, updated.text
    assert "The address moved to the new machine: " in updated.out
    # An address that moves cuts what is open at that moment: one connection of each client, and nothing else.
    assert len(clients.failed) <= CLIENTS, clients.failed
    tried("requests while an address moved", clients.answered)
    tried("connections that were cut when an address moved", len(clients.failed))
    second = _asked(desk)
    assert second["root_cause"]["kind"] == "memory_leak"
    assert second["root_cause"]["service"] == "catalog-service"
    instances = [one for entry in desk.client("ec2").describe_instances()["Reservations"] for one in entry["Instances"]]
    assert sorted(instance["State"]["Name"] for instance in instances) == ["running", "terminated"]


def _look_things_up(desk: Desk) -> None:
    """Each question gets its own short answer, and a question that leaves out its subject continues the one before."""
    answers = {
        "How many nodes are there?": "# 3 nodes, all ready",
        "What is wrong with billing?": "# There is nothing named billing",
        "Restart payment": "# Restart payment-service: nothing was done, this version only looks",
        "Is cart healthy?": "# cart-service is healthy",
        "and its logs?": "# The newest 6 log lines of cart-service",
        "Wie viele Nodes gibt es?": "# This is German; the assistant understands English only.",
    }
    for question, headline in answers.items():
        ended = desk.agent("-q", question)
        assert (ended.code, ended.out.splitlines()[0]) == (0, headline), ended.text
        assert len(ended.out.splitlines()) <= 12
    # A program that keeps nothing: the machine has kept the question before on its disk.
    assert ask_in_session(desk, "Is payment healthy?")["session"]["kept"] is True
    assert ask_in_session(desk, "and its logs?")["report"]["subject"]["name"] == "payment-service"
    assert len(list(desk.state_dir.glob("start-*/instances/*/state/assistant/sessions.sqlite3"))) == 1


def _asked(desk: Desk) -> dict[str, object]:
    ended = desk.agent("--prompt", "What is wrong right now?")
    assert ended.code == 0, ended.text
    assert ended.out.startswith("# Root cause: ")
    cited = re.findall(r"inv-[0-9a-f]+-e\d+", ended.out.split("Confidence:")[1].splitlines()[0])
    assert len(cited) >= 3
    for evidence in cited[:3]:
        shown = desk.agent("evidence", evidence)
        assert shown.code == 0, shown.text
        assert f"### {evidence}" in shown.out
        assert "tool: " in shown.out
        assert "arguments: " in shown.out
        assert "time: 2" in shown.out
    newest = max(desk.state_dir.glob("reports/inv-*.json"), key=lambda path: path.stat().st_mtime)
    document = json.loads(newest.read_text())
    report: dict[str, object] = document.get("report", document)
    return report

"""The deployed assistant is asked about two incidents, one after the other: the second comes by an update of the deployment."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from behaviours.asking import CLIENTS, ask_in_session, asking
from behaviours.command_line import Desk


def test_another_incident_by_an_update(desk: Desk, tried: Callable[[str, int], None]) -> None:
    """Each root cause is right and cites evidence that can be looked at; the update touches only what depends on the change."""
    desk.configure(services={"recording": "crash-loop"})
    assert desk.deploy("deploy").code == 0
    first = _asked(desk)
    assert first["root_cause"]["kind"] == "bad_configuration"
    assert first["root_cause"]["service"] == "payment-service"
    _look_things_up(desk)

    desk.configure(services={"recording": "memory-leak"})
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

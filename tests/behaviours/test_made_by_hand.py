"""A person makes the whole deployment by the Console guide, with plain boto3: then it is verified like one that the command made."""

from __future__ import annotations

import re
import time

import pytest

from behaviours.command_line import Desk
from fixtures.person import Person
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.guide import walk_guide


def test_verification_of_what_a_person_made(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every check passes, and a plan has nothing to do."""
    desk.start_aws()
    monkeypatch.chdir(desk.folder)
    monkeypatch.setenv("SRE_AGENT_STATE_DIR", str(desk.state_dir))
    person = Person(desk.client, desk.state_dir / "local-ca")
    ended = walk_guide(Request(), person)
    assert ended.success, [*person.said[-30:], ended.message]
    deadline = time.monotonic() + 300
    # As a person does who waits for the machine.
    while not re.search(r"^ready +ok", (booted := desk.deploy("logs", "boot")).out, re.MULTILINE):
        assert time.monotonic() < deadline, booted.text
        time.sleep(1)
    verified = desk.deploy("verify")
    assert verified.code == 0, verified.text
    assert "is verified" in verified.out
    planned = desk.deploy("plan")
    assert planned.code == 0, planned.text
    assert "to keep" in planned.out
    assert not any(word in planned.out for word in ("to create", "to update", "to replace"))

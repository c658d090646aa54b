"""A sweep of this machine: temporary deployments that were forgotten in its AWS."""

from __future__ import annotations

import json
import time

from behaviours import lister
from behaviours.command_line import Desk

MINE = {"sre-agent:deployment-id": "sre-0123456789", "sre-agent:resource": "backend_key", "sre-agent:ttl": "1s"}


def test_a_sweep_of_this_machine(desk: Desk) -> None:
    """The remains of a killed run are deleted from the local AWS, and nothing else; without a local AWS there is nothing to do."""
    nothing = desk.deploy("cleanup", "--older-than", "1s", "--yes")
    assert nothing.code == 0, nothing.text
    assert "nothing to sweep" in nothing.text

    desk.start_aws("--no-boot")
    secrets = desk.client("secretsmanager")
    secrets.create_secret(Name="theirs", SecretString="precious")
    before = lister.everything(desk.client)
    tags = [{"Key": key, "Value": value} for key, value in MINE.items()]
    secrets.create_secret(Name="sre-0123456789/backend-api-key", SecretString="{}", Tags=tags)
    time.sleep(2.1)
    ended = desk.deploy("cleanup", "--older-than", "1s", "--yes", "--json")
    assert ended.code == 0, ended.text
    lines = [json.loads(line) for line in ended.out.splitlines()]
    assert lines[-1] == {"swept": ["sre-0123456789"], "remain": 0}
    assert lister.everything(desk.client) == before

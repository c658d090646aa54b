"""An instance that a program of the caller boots."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from embedded_aws.instances.host import InstanceHost
from embedded_aws.instances.program import boot_by_program
from embedded_aws.world import TemporaryCredentials
from sre_core.secret import Secret

PROGRAM = """
import pathlib, sys, time
asked = sys.stdin.readline()
pathlib.Path(sys.argv[1]).write_text(asked)
print(sys.argv[2], flush=True)
sys.stdin.read()
pathlib.Path(sys.argv[1] + ".stopping").touch()
time.sleep(0.2)
pathlib.Path(sys.argv[1] + ".stopped").touch()
"""
ROLE = "arn:aws:iam::123456789012:role/sre-agent"


class WithRole:
    """The world of these tests, with the role of its instance profile."""

    def __init__(self, world: Any) -> None:
        self._world = world

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)

    def as_role(self, role_arn: str, session_name: str) -> WithRole:
        return self

    def role_of_profile(self, profile_arn: str) -> str | None:
        return ROLE if profile_arn.endswith("/sre-agent") else None

    def credentials_for_role(self, role_arn: str, session_name: str) -> TemporaryCredentials:
        return TemporaryCredentials("ASIA1", Secret("drawn"), Secret(session_name), datetime.now(UTC) + timedelta(hours=1))


async def until(true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def driven(world: Any, file: Path, answer: str) -> InstanceHost:
    return InstanceHost(WithRole(world), boot_by_program((sys.executable, "-c", PROGRAM, str(file), answer)))


@pytest.mark.anyio
async def test_what_the_program_gets_and_answers(world: Any, machine: Callable[..., Any], tmp_path: Path) -> None:
    """It gets the user data as it was sent and the credentials of the role; its ports are the instance's until it is stopped."""
    launch, file = machine(), tmp_path / "asked"
    host = driven(world, file, '{"ports": {"443": 45678}}')
    profile = "arn:aws:iam::123456789012:instance-profile/sre-agent"
    await host.launch("i-1", launch.user_data(), launch.address, profile, "2001:db8::10")
    await until(lambda: host.door_of("i-1", 443))
    assert host.door_of("i-1", 443) == (launch.address, 45678)
    asked = json.loads(file.read_text())
    assert base64.b64decode(asked["user_data"]) == launch.user_data()
    assert asked["ipv6_address"] == "2001:db8::10"
    assert (asked["instance_id"], asked["role"]["arn"], asked["role"]["AccessKeyId"]) == ("i-1", ROLE, "ASIA1")
    await host.close()
    assert file.with_name("asked.stopped").exists()


@pytest.mark.anyio
async def test_a_program_that_can_not_boot(world: Any, machine: Callable[..., Any], tmp_path: Path) -> None:
    """Nothing answers for the instance, as on AWS where an instance does not come up; it has stopped before the host is closed."""
    launch, file = machine(), tmp_path / "asked"
    host = driven(world, file, "no kernel")
    await host.launch("i-1", launch.user_data(), launch.address, "arn:aws:iam::123456789012:instance-profile/other")
    await until(file.with_name("asked.stopping").exists)
    assert json.loads(file.read_text())["role"] == {}
    assert host.door_of("i-1", 443) is None
    await host.close()
    assert file.with_name("asked.stopped").exists()

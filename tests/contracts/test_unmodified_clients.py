"""Clients as their users install them, against the daemon as its users start it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from . import old_clients
from .conftest import Daemon, Gateway

CLIENTS = Path(__file__).parent / "clients"
EXPECTED_TEXT = {"path": "/pods?pod_name=web-1", "key": "the-key"}


def run(python: str | Path, script: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a client program; nothing of this process's environment but PATH reaches it."""
    command = [str(python), str(CLIENTS / script)]
    return subprocess.run(
        command, env={"PATH": os.environ["PATH"], **environment}, capture_output=True, text=True, timeout=120, check=False
    )


def seen_by(python: str | Path, script: str, environment: Mapping[str, str]) -> Any:
    done = run(python, script, environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="session")
def old_python() -> Path:
    """The interpreter with the clients that exclude mcp 2."""
    found = old_clients.python()
    if isinstance(found, Path):
        return found
    if os.environ.get("CI"):
        pytest.fail(found)
    pytest.skip(found)


def test_the_mcp_sdk_2(gateway: Gateway) -> None:
    """It discovers the stateless protocol by itself, and sends `initialize` where it is configured to."""
    versions = {"auto": "2026-07-28", "2026-07-28": "2026-07-28", "legacy": "2025-11-25"}
    seen = seen_by(sys.executable, "mcp2.py", {**gateway.environment, "MODES": " ".join(versions)})
    assert [each["version"] for each in seen] == list(versions.values())
    for each in seen:
        assert (each["tools"], each["is_error"]) == (["pods___get_pod_status"], False)
        assert json.loads(each["text"]) == EXPECTED_TEXT


def test_the_mcp_sdk_1(gateway: Gateway, old_python: Path) -> None:
    """The last 1.x shakes hands, pings, lists and calls."""
    seen = seen_by(old_python, "mcp1.py", gateway.environment)
    assert (seen["version"], seen["tools"], seen["is_error"]) == ("2025-11-25", ["pods___get_pod_status"], False)
    assert json.loads(seen["text"]) == EXPECTED_TEXT


def test_langchain_mcp_adapters(gateway: Gateway, old_python: Path) -> None:
    """It opens a session for each call."""
    seen = seen_by(old_python, "langchain_adapters.py", gateway.environment)
    assert seen["tools"] == ["pods___get_pod_status"]
    assert json.loads(seen["text"]) == EXPECTED_TEXT


@pytest.mark.parametrize("script", ["mcp2.py", "mcp1.py", "langchain_adapters.py"])
def test_a_client_without_a_good_token(gateway: Gateway, old_python: Path, script: str) -> None:
    """Each ends with the gateway's refusal and has called nothing."""
    python = sys.executable if script == "mcp2.py" else old_python
    done = run(python, script, {**gateway.environment, "MODES": "auto", "GATEWAY_TOKEN": "no.good.token"})
    assert done.returncode != 0
    assert ("Invalid Bearer token" if script == "mcp2.py" else "401 Unauthorized") in done.stderr
    assert not done.stdout


def test_the_aws_cli(daemon: Daemon, gateway: Gateway) -> None:
    """`aws bedrock-agentcore-control` sees what boto3 made."""
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ACCESS_KEY_ID": daemon.registry["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": daemon.registry["secret_access_key"],
        "AWS_DEFAULT_REGION": daemon.registry["region"],
        "AWS_ENDPOINT_URL": daemon.registry["endpoint"],
        "AWS_CA_BUNDLE": daemon.registry["ca_file"],
        "HOME": "/nonexistent",
    }
    command = [sys.executable, "-m", "awscli", "bedrock-agentcore-control", "list-gateways"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert [item["name"] for item in json.loads(done.stdout)["items"]] == ["contracts"]
    assert gateway.url

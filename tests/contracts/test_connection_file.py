"""The deployer writes the connection file, and `sre-agent` reads it without importing the deployer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sre_agent import connection as reading
from sre_agent_deploy import connection as writing
from sre_agent_deploy.account.account import Account
from sre_agent_deploy.account.local import Registry
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.checks.verification.endpoint_client import Client, Endpoints
from sre_core.secret import Secret
from sre_core.state_folder import state_folder

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:caller"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Both programs look where the same variable says."""
    monkeypatch.setenv("SRE_AGENT_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


def deployed(*ca_files: str) -> Endpoints:
    return Endpoints(
        base_url="https://sre.example.com:8443",
        public_ip="192.0.2.1",
        gateway_url="https://gateway.example.com/mcp",
        discovery_url="https://issuer.example.com/.well-known/openid-configuration",
        gateway_client=Client("gateway", Secret("never-written-1"), "sre-agent/gateway.invoke"),
        caller_client=Client("caller", Secret("never-written-2"), "sre-agent/assistant.invoke"),
        ca_files=ca_files,
    )


def registry(path: Path) -> Registry:
    return Registry(path, "start", 1, "https://127.0.0.1:1", "ca.pem", "log", "123456789012", "eu-west-1", "key", Secret("never-written-3"))


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    """Address, issuer, client and the place of its secret are read as they were written; an address of Amazon's has no registry."""
    writing.write_connection("sre-1", deployed(), ARN, Account(Aws(region="eu-west-1")))
    read = reading.choose(file=None, deployment="sre-1", state=state_folder())
    assert (read.deployment_id, read.assistant_url) == ("sre-1", "https://sre.example.com:8443")
    assert read.oidc_discovery_url == "https://issuer.example.com/.well-known/openid-configuration"
    assert (read.client_id, read.scope) == ("caller", "sre-agent/assistant.invoke")
    assert read.client_secret == reading.SecretReference(ARN, "client_secret", "eu-west-1")
    assert (read.ca_file, read.registry, read.is_local) == ("", "", False)


def test_a_local_deployment(tmp_path: Path) -> None:
    """Its AWS is named, and every private authority is in the one file that the reader trusts."""
    for name in ("one", "two"):
        (tmp_path / f"{name}.pem").write_text(f"-- {name} --\n")
    place = Account(Aws(region="eu-west-1"), registry(tmp_path / "embedded-aws.json"))
    writing.write_connection("sre-1", deployed(str(tmp_path / "one.pem"), str(tmp_path / "two.pem")), ARN, place)
    read = reading.choose(file=None, deployment=None, state=state_folder())
    assert (read.registry, read.is_local) == (str(tmp_path / "embedded-aws.json"), True)
    assert Path(read.ca_file).read_text() == "-- one --\n-- two --\n"


def test_it_holds_no_secret(state: Path) -> None:
    """It has only the place of the secret; and only its owner can read even that."""
    path = writing.write_connection("sre-1", deployed(), ARN, Account(Aws(region="eu-west-1")))
    assert "never-written" not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text())["schema"] == 1


def test_a_removed_deployment_is_not_found(state: Path) -> None:
    """Its files are gone, so the reader asks the one that is left."""
    for name in ("sre-1", "sre-2"):
        writing.write_connection(name, deployed(), ARN, Account(Aws(region="eu-west-1")))
    writing.delete_connection("sre-2")
    assert reading.choose(file=None, deployment=None, state=state_folder()).deployment_id == "sre-1"
    assert [path.name for path in state.glob("connections/*")] == ["sre-1.json"]

"""The embedded AWS writes its registry file; deployer and assistant read it, each with code of their own."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sre_agent import aws as assistant_aws
from sre_agent.connection import SecretReference
from sre_agent_deploy.account import local

from .conftest import Daemon


@pytest.fixture
def registry_file(daemon: Daemon) -> Iterator[Path]:
    """The daemon's own file. The readers take AWS's variables out of the environment: it is put back."""
    before = dict(os.environ)
    file = Path(daemon.registry["ca_file"]).parent / "embedded-aws.json"
    os.environ["SRE_AGENT_STATE_DIR"] = str(file.parent)
    yield file
    os.environ.clear()
    os.environ.update(before)


def test_the_file_is_what_was_printed(daemon: Daemon, registry_file: Path) -> None:
    """Programs that start the daemon and programs that find it later have the same data, and no other user can read the file."""
    assert json.loads(registry_file.read_text()) == daemon.registry
    assert registry_file.stat().st_mode & 0o777 == 0o600


def test_the_deployer_finds_it(daemon: Daemon, registry_file: Path) -> None:
    """It reaches the AWS whose account and start the file names."""
    found = local.find_running()
    assert found is not None
    assert (found.path, found.start_id, found.pid) == (registry_file, daemon.registry["start_id"], daemon.registry["pid"])
    assert found.aws(found.region).client("sts").get_caller_identity()["Account"] == daemon.registry["account_id"] == found.account_id


@pytest.mark.parametrize(
    "changed",
    [
        {"process_started": "1"},
        {"boot_id": "another"},
        {"pid": 2**22 + 1},
        {"pid": "?"},
        {"pid": None},
        {"secret_access_key": None},
        {"schema": 2},
    ],
    ids=["reused number", "another boot", "no process", "no number", "no pid", "no key", "another schema"],
)
def test_a_file_of_no_running_aws(daemon: Daemon, tmp_path: Path, changed: dict[str, object]) -> None:
    """A process that has the number of a killed AWS is not taken for it, and neither is a file that is not of this format."""
    file = tmp_path / "embedded-aws.json"
    file.write_text(json.dumps(daemon.registry))
    assert local.find_running(file)
    document = {name: value for name, value in {**daemon.registry, **changed}.items() if value is not None}
    file.write_text(json.dumps(document))
    assert local.find_running(file) is None
    file.write_text(file.read_text()[:-9])
    assert local.find_running(file) is None


def test_the_assistant_finds_it(daemon: Daemon, registry_file: Path) -> None:
    """It reads its caller's secret through the file that the connection file names."""
    arn = daemon.client("secretsmanager").create_secret(Name="caller", SecretString='{"client_secret": "drawn-for-this-test"}')["ARN"]
    reference = SecretReference(arn, "client_secret", daemon.registry["region"])
    assert assistant_aws.read_client_secret(reference, str(registry_file)).reveal() == "drawn-for-this-test"

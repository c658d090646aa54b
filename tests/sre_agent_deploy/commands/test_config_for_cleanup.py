"""Cleanup needs little of the configuration, and reads it from where the state says that it is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.cleanup import config_for_cleanup
from sre_agent_deploy.commands.workspace import find_state
from sre_agent_deploy.config.operations import RetriesConfig
from sre_agent_deploy.journal.state import State

PATIENT = "version: 1\nmode: local\nname: test\nretries:\n  ready: 40m\n"


def state(config_file: Path) -> State:
    return State("sre-1", "123456789012", "us-east-1", "local", str(config_file), {"endpoint": "", "start_id": ""})


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")


def test_as_patient_as_the_deployment_was(tmp_path: Path) -> None:
    """Cleanup has the deadlines of the deployment's own configuration, without an option that names the file."""
    file = tmp_path / "config.yaml"
    file.write_text(PATIENT)
    assert config_for_cleanup(find_state(Request()), state(file)).retries.limits().ready == timedelta(minutes=40)


@pytest.mark.parametrize("text", ["", "retries: [", PATIENT.replace("40m", "forty minutes")], ids=["gone", "no YAML", "faulty"])
def test_a_configuration_that_is_of_no_use(tmp_path: Path, text: str) -> None:
    """An unusable configuration does not stop a cleanup, which then has the default deadlines."""
    file = tmp_path / "config.yaml"
    if text:
        file.write_text(text)
    assert config_for_cleanup(find_state(Request()), state(file)).retries == RetriesConfig()

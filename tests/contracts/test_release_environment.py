"""`release.json` says what each program asks for; the programs are started with that and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from sre_agent import settings
from sre_agent.tokens import SecretFile
from sre_core import release
from sre_core.problem import Problem, Refused
from sre_services import auth
from sre_services.providers import open_provider

ASSISTANT = next(service for service in release.services() if not service.openapi)


@pytest.fixture
def given(tmp_path: Path) -> dict[str, str]:
    """The environment of the assistant as a machine makes it."""
    for name in ASSISTANT.credentials:
        (tmp_path / name).write_text("drawn-for-this-test")
    values = dict.fromkeys(ASSISTANT.environment, "https://example.com")
    return values | ({"SRE_REASONER": "rules"} if "SRE_REASONER" in values else {}) | {"CREDENTIALS_DIRECTORY": str(tmp_path)}


def test_the_assistant_starts_with_what_the_release_names(given: dict[str, str]) -> None:
    """No variable and no credential is missing."""
    secret = settings.read_settings(given).gateway_client_secret
    assert isinstance(secret, SecretFile)
    assert secret.read().reveal() == "drawn-for-this-test"


@pytest.mark.parametrize("name", [name for name in ASSISTANT.environment if name != "SRE_REASONER"])
def test_the_assistant_needs_all_that_the_release_names(given: dict[str, str], name: str) -> None:
    """Every name in machine.json is read by the assistant, so that none is left from earlier versions."""
    with pytest.raises(Refused, match=name):
        settings.read_settings({key: value for key, value in given.items() if key != name})


@pytest.mark.parametrize("service", release.backends(), ids=lambda service: service.name)
def test_a_backend_starts_with_what_the_release_names(service: release.Service, tmp_path: Path) -> None:
    """Its one setting is the recording, its one credential the API key."""
    assert service.environment == ("SRE_RECORDING",)
    assert open_provider(service.name, {"SRE_RECORDING": "healthy"})
    (name,) = service.credentials
    (tmp_path / name).write_text("drawn-for-this-test")
    assert not isinstance(auth.read_api_key({"CREDENTIALS_DIRECTORY": str(tmp_path)}), Problem)
    assert name == auth.API_KEY

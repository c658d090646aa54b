"""The account that preflight looks at, and configurations for it."""

from __future__ import annotations

from typing import Any, Protocol

import pytest

from fixtures.embedded import EmbeddedAws
from sre_agent_deploy.aws import Aws, Endpoint
from sre_agent_deploy.checks import Finding
from sre_agent_deploy.checks.suite import run_preflight
from sre_agent_deploy.config.models import Config
from sre_core import clock
from sre_core.secret import Secret


class Preflight(Protocol):
    """Runs preflight for a configuration in this account, and returns its findings by id."""

    def __call__(self, aws: Aws | None = None, **sections: Any) -> dict[str, Finding]: ...


@pytest.fixture(scope="session")
def aws(embedded: EmbeddedAws) -> Aws:
    """The embedded AWS, through the deployer's own clients."""
    secret = Secret(embedded.registry["secret_access_key"])
    return Aws(region=embedded.region, endpoint=Endpoint(embedded.endpoint, embedded.ca_file, embedded.registry["access_key_id"], secret))


@pytest.fixture
def check(aws: Aws) -> Preflight:
    def checked(other: Aws | None = None, **sections: Any) -> dict[str, Finding]:
        config = Config.model_validate({"mode": "production", "name": "preflight", **sections})
        return {finding.check: finding for finding in run_preflight(config, other or aws, clock.now())}

    return checked

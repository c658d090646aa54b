"""The account in which resources are created, and marks for their creations."""

from __future__ import annotations

import secrets
from typing import Protocol

import pytest

from fixtures.embedded import EmbeddedAws
from sre_agent_deploy.aws import Aws, Endpoint
from sre_agent_deploy.resource import Mark
from sre_core.secret import Secret

from .wire import Recorder


class Marked(Protocol):
    """Makes the mark of a creation in this test's deployment."""

    def __call__(self, name: str, generation: int = 1) -> Mark: ...


@pytest.fixture(scope="session")
def aws(embedded: EmbeddedAws) -> Aws:
    """The embedded AWS, through the deployer's own clients."""
    secret = Secret(embedded.registry["secret_access_key"])
    endpoint = Endpoint(embedded.endpoint, embedded.ca_file, embedded.registry["access_key_id"], secret)
    return Aws(region=embedded.region, endpoint=endpoint)


@pytest.fixture
def deployment() -> str:
    """A deployment id that no other test has."""
    return f"sre-{secrets.token_hex(5)}"


@pytest.fixture
def marked(deployment: str) -> Marked:
    def mark(name: str, generation: int = 1) -> Mark:
        return Mark(deployment, name, generation, f"{deployment}-{secrets.token_hex(12)}")

    return mark


@pytest.fixture(scope="session")
def recorder() -> Recorder:
    """Return an AWS that records every request. One for all tests: making boto3's clients takes longer than sending the requests."""
    return Recorder()

"""A real issuer, a real gateway and real TLS on loopback, for every test of the assistant."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the parts beside this file, which are no tests

from agent_https import Authority
from agent_issuer import Issuer


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority of this test run."""
    return Authority.create(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def issuer(authority: Authority) -> Iterator[Issuer]:
    """A token issuer as Cognito is one, with keys of this test run."""
    with Issuer.running(authority) as running:
        yield running

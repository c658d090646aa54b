"""Where gateways may send requests."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from embedded_aws.agentcore.backend import Egress, EgressRefused


@pytest.fixture
def own_address(aws: Any) -> Any:
    address = aws.account.addresses.take()
    yield address
    aws.account.addresses.release(address)


def test_before_a_request(aws: Any, own_address: str) -> None:
    """Own addresses and hosts that were allowed by name; https only."""
    egress = Egress(aws.account, frozenset({"API.example.com"}))
    assert egress.refusal(f"https://{own_address}:8443/a") is None
    assert egress.refusal("https://api.example.com/a") is None
    assert egress.refusal(f"http://{own_address}/a") == "only https URLs are called"
    assert egress.refusal("https://other.example.com/") == "the host other.example.com can't be resolved"
    assert "is no address of an instance of the local AWS" in str(egress.refusal("https://127.0.0.1/"))


def test_at_the_moment_of_connecting(aws: Any, own_address: str) -> None:
    """A name is looked up again: one that led to an own address before and elsewhere now is refused."""

    class Rebinding:
        address = own_address
        owned_address = staticmethod(aws.account.owned_address)

        def resolve(self, host: str) -> str | None:
            return self.address if host == "api.example.com" else None

    world = Rebinding()
    egress = Egress(world, frozenset())  # type: ignore[arg-type]  # the two questions that it asks of a world
    assert egress.refusal("https://api.example.com/") is None
    (found,) = asyncio.run(egress.resolve("api.example.com", 443))
    assert (found["host"], found["port"]) == (own_address, 443)
    world.address = "169.254.169.254"
    with pytest.raises(EgressRefused):
        asyncio.run(egress.resolve("api.example.com", 443))
    with pytest.raises(EgressRefused):
        asyncio.run(egress.resolve("unknown.example.com", 443))


def test_a_host_that_was_allowed_by_name(aws: Any) -> None:
    """It is found in the system's own DNS where this AWS has no record of it."""
    egress = Egress(aws.account, frozenset({"localhost"}))
    found = asyncio.run(egress.resolve("localhost", 443))
    assert "127.0.0.1" in {each["host"] for each in found}

"""Health checks of Route 53: the local AWS really asks, and reports what it got."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from embedded_aws.account import Account
from embedded_aws.health_checks import Health, ask_endpoint
from embedded_aws.moto_app import configure_moto
from embedded_aws.moto_state import HealthCheck
from fixtures.embedded import EmbeddedAws

CONFIG = {"Type": "HTTPS", "Port": 443, "FullyQualifiedDomainName": "absent.example.com", "ResourcePath": "/ping", "FailureThreshold": 1}


@given(st.lists(st.booleans(), max_size=20), st.integers(1, 10))
def test_the_state_of_an_endpoint(answers: list[bool], threshold: int) -> None:
    """It changes when so many answers in a row agree, and is unknown before."""
    health, expected = Health(), None
    for count in range(1, len(answers) + 1):
        health = health.add(answers[count - 1], threshold)
        last = answers[max(0, count - threshold) : count]
        expected = last[0] if len(last) == threshold and len(set(last)) == 1 else expected
        assert health.healthy is expected


def _refused(call: Callable[..., Any], **parameters: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    return str(refused.value.response["Error"]["Code"])


def test_what_a_health_check_refuses(embedded: EmbeddedAws) -> None:
    """A reference makes one check, ever; a private address, an older version, and what does not exist are refused."""
    route53, reference = embedded.client("route53"), uuid.uuid4().hex
    create: Callable[[Mapping[str, Any]], Any] = lambda changed: route53.create_health_check(  # noqa: E731
        CallerReference=reference, HealthCheckConfig={**CONFIG, **changed}
    )
    id = create({})["HealthCheck"]["Id"]
    assert create({})["HealthCheck"]["Id"] == id
    assert _refused(create, changed={"Port": 8443}) == "HealthCheckAlreadyExists"
    assert route53.update_health_check(HealthCheckId=id, Port=8443, HealthCheckVersion=1)["HealthCheck"]["HealthCheckVersion"] == 2
    assert _refused(route53.update_health_check, HealthCheckId=id, Port=443, HealthCheckVersion=1) == "HealthCheckVersionMismatch"
    assert _refused(route53.update_health_check, HealthCheckId=id, IPAddress="8.8.8.8") == "InvalidInput"
    tags = [{"Key": f"k{number}", "Value": "v"} for number in range(10)]
    route53.change_tags_for_resource(ResourceType="healthcheck", ResourceId=id, AddTags=tags)
    more = {"ResourceType": "healthcheck", "ResourceId": id, "AddTags": [{"Key": "more", "Value": "v"}]}
    assert _refused(route53.change_tags_for_resource, **more) == "InvalidInput"
    route53.delete_health_check(HealthCheckId=id)
    assert _refused(create, changed={}) == "HealthCheckAlreadyExists"
    assert _refused(route53.delete_health_check, HealthCheckId=id) == "NoSuchHealthCheck"
    assert _refused(route53.change_tags_for_resource, **more) == "NoSuchHealthCheck"
    for address in ("10.0.0.1", "127.0.0.1", "192.0.2.1"):
        private = {**CONFIG, "IPAddress": address}
        assert _refused(route53.create_health_check, CallerReference=uuid.uuid4().hex, HealthCheckConfig=private) == "InvalidInput"


def test_what_an_endpoint_answers(tmp_path: Path) -> None:
    """A real request over TLS decides: its path, its status, and whether anything listens; no other machine is ever asked."""
    configure_moto()
    asyncio.run(_ask_an_endpoint(Account(region="us-east-1", folder=tmp_path, ca_file=tmp_path / "ca.pem", endpoint="")))


async def _ask_an_endpoint(account: Account) -> None:
    asked: list[tuple[str, str]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked.append((scope["path"], dict(scope["headers"])[b"host"].decode()))
        await send({"type": "http.response.start", "status": 200 if scope["path"] == "/ping" else 503, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    address = account.addresses.take()
    door = await account.listen(app, address=address)
    port = int(door.url.rpartition(":")[2])
    check = HealthCheck("c", address, "sre.example.com", port, "/ping", True, True, 1, False, False)
    assert await ask_endpoint(account, check) == f"Success: HTTP Status Code 200. Resolved IP: {address}"
    assert asked == [("/ping", f"sre.example.com:{port}")]
    assert "503" in await ask_endpoint(account, replace(check, path="/broken"))
    assert "DNS resolution failed" in await ask_endpoint(account, replace(check, address=""))
    assert "127.0.0.1 is none" in await ask_endpoint(account, replace(check, address="127.0.0.1"))
    await door.close()
    assert (await ask_endpoint(account, check)).startswith("Failure")

"""The release itself boots: every service that machine.json names, as the deployer packs and describes them."""

from __future__ import annotations

import json

import pytest

from fixtures.machines import ENVIRONMENT, make_machine
from sre_agent_deploy.instance.release_archive import build_archive
from sre_agent_deploy.instance.user_data import render_user_data
from sre_core import release
from sre_core.machine import SecretRef

pytestmark = pytest.mark.anyio

PROFILE = "arn:aws:iam::123456789012:instance-profile/sre-agent"


async def test_the_release(world, host, loopback, browser) -> None:
    """All services answer through the front door, and require a credential of every caller."""
    archive, address = build_archive(), loopback()
    world.objects["s3://bucket/release.zip"] = archive.bytes
    certificate = world.authority.issue(address)
    world.secrets["arn:certificate"] = json.dumps({"certificate": certificate.chain, "private_key": certificate.key})
    world.secrets["arn:key"] = json.dumps({"api_key": "a-key-of-this-test", "client_secret": "a-secret-of-this-test"})
    machine = make_machine(
        release_uri="s3://bucket/release.zip",
        release_sha256=archive.sha256,
        status_uri="s3://bucket/status/instance-1/",
        environment={
            **ENVIRONMENT,
            "GATEWAY_URL": "https://127.0.0.1:1/mcp",
            "OIDC_DISCOVERY_URL": "https://127.0.0.1:1/pool/.well-known/openid-configuration",
        },
        credentials={"backend-api-key": SecretRef("arn:key", "api_key"), "gateway-client-secret": SecretRef("arn:key", "client_secret")},
        certificate=SecretRef("arn:certificate"),
    )
    await host.launch("i-1", render_user_data(machine).encode(), address, PROFILE)
    status = await world.wait_for_status()
    assert status["state"] == "ok", status
    port = status["listeners"][0]["actual_port"]
    for service in release.services():
        async with browser.get(f"https://{address}:{port}{service.route}{service.health_path.lstrip('/')}") as answer:
            assert answer.status == 200
    async with browser.post(f"https://{address}:{port}/invocations", json={"prompt": "why"}) as answer:
        assert answer.status == 401

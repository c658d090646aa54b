"""A deleted target that is not gone yet: the state in which teardowns of such deployments break."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from embedded_aws.agentcore.catalog import Catalogs
from embedded_aws.agentcore.conventions import ClientTokens, Lifecycle
from embedded_aws.agentcore.errors import ApiError
from embedded_aws.agentcore.gateways import Gateways
from embedded_aws.agentcore.records import Gateway, Registry, Target
from embedded_aws.agentcore.target_schema import TargetSchemas
from embedded_aws.agentcore.targets import Targets
from sre_core import clock

GATEWAY = {"gatewayIdentifier": "gw-0123456789"}


class NoEndpoints:
    async def open(self, gateway_id: str) -> str:
        raise NotImplementedError

    async def close(self, gateway_id: str) -> None:
        raise NotImplementedError


def registry_with_a_target() -> Registry:
    now = clock.now()
    gateway = Gateway(
        gateway_id="gw-0123456789",
        arn="arn:gateway",
        url="https://127.0.0.1:1/mcp",
        declared={"name": "gw", "authorizerType": "NONE"},
        authorizer=None,
        workload_identity_arn="arn:identity",
        created_at=now,
        updated_at=now,
        status="READY",
    )
    target = Target(
        target_id="ABCDEFGHIJ", gateway_arn="arn:gateway", declared={"name": "pods"}, created_at=now, updated_at=now, status="READY"
    )
    return Registry(gateways={gateway.gateway_id: gateway}, targets={gateway.gateway_id: {target.target_id: target}})


def test_a_target_on_its_way_out_holds_its_gateway(aws: Any) -> None:
    """Lists no longer show it, and still the gateway can't be deleted."""

    async def scenario() -> None:
        lifecycle, tokens, registry = Lifecycle(change_seconds=600), ClientTokens(), registry_with_a_target()
        gateways = Gateways(world=aws.account, registry=registry, endpoints=NoEndpoints(), tokens=tokens, lifecycle=lifecycle)
        targets = Targets(
            registry=registry,
            gateways=gateways,
            schemas=TargetSchemas(aws.account),
            catalogs=Catalogs(),
            tokens=tokens,
            lifecycle=lifecycle,
        )
        assert (await targets.delete({**GATEWAY, "targetId": "ABCDEFGHIJ"}))["status"] == "DELETING"
        assert (await targets.list_all(GATEWAY))["items"] == []
        with pytest.raises(ApiError, match="has targets associated with it"):
            await gateways.delete(GATEWAY)
        await lifecycle.close()

    asyncio.run(scenario())

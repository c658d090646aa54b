"""The gateway operations of the control plane."""

from __future__ import annotations

import secrets
import string
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from embedded_aws import iam_state, policy
from embedded_aws.agentcore.conventions import ClientTokens, Lifecycle, select_page
from embedded_aws.agentcore.errors import Violation, conflict, invalid, not_found, over_quota, unsupported_error
from embedded_aws.agentcore.records import MCP_VERSIONS, Gateway, JwtAuthorizer, Registry
from embedded_aws.world import World
from sre_core import clock

type Request = Mapping[str, Any]
type Answer = dict[str, Any]

_GATEWAYS_AT_MOST = 1000
_ID_LETTERS = string.ascii_lowercase + string.digits
_NOT_ENFORCED = (
    "interceptorConfigurations",
    "policyEngineConfiguration",
    "wafConfiguration",
    "customTransformConfiguration",
    "domainOverride",
)
_JWT_NOT_ENFORCED = (
    "customClaims",
    "privateEndpoint",
    "privateEndpointOverrides",
    "allowedWorkloadConfiguration",
    "certificateConfigurations",
    "advertisedScopeMapping",
)


class Endpoints(Protocol):
    """Opens and closes the listeners on which gateways answer MCP clients."""

    async def open(self, gateway_id: str) -> str:
        """Open the HTTPS listener of a gateway and return its URL."""
        ...

    async def close(self, gateway_id: str) -> None: ...


class Gateways:
    """Creates, updates and deletes gateways."""

    def __init__(self, *, world: World, registry: Registry, endpoints: Endpoints, tokens: ClientTokens, lifecycle: Lifecycle) -> None:
        self._world = world
        self._registry = registry
        self._endpoints = endpoints
        self._tokens = tokens
        self._lifecycle = lifecycle

    async def create(self, request: Request) -> Answer:
        """Perform CreateGateway: the status is CREATING at once and READY a moment later."""
        if made := self._tokens.find_created("CreateGateway", request):
            return self._registry.gateways[made].to_json()
        self._refuse_duplicate(request["name"])
        if len(self._registry.gateways) >= _GATEWAYS_AT_MOST:
            raise over_quota(f"An account has at most {_GATEWAYS_AT_MOST} gateways.")
        gateway_id = f"{request['name'].lower()}-{''.join(secrets.choice(_ID_LETTERS) for _ in range(10))}"
        declared = self._validate(request, gateway_id)
        url = await self._endpoints.open(gateway_id)
        gateway = self._new_gateway(gateway_id, f"{url}/mcp", declared)
        self._registry.gateways[gateway_id] = gateway
        self._registry.targets[gateway_id] = {}
        self._registry.tags[gateway.arn] = dict(request.get("tags", {}))
        self._registry.link_identity(gateway_id, gateway.workload_identity_arn)
        self._tokens.remember("CreateGateway", request, gateway_id)
        self._lifecycle.later(self._completion_of(gateway_id))
        return gateway.to_json()

    async def get(self, request: Request) -> Answer:
        """Perform GetGateway."""
        return self.existing(request).to_json()

    async def update(self, request: Request) -> Answer:
        """Perform UpdateGateway: it replaces everything, and resets what the request omits."""
        before = self.existing(request)
        if before.status in ("CREATING", "UPDATING", "DELETING"):
            raise conflict(f"Gateway with ID: {before.gateway_id} is in status {before.status} and can't be updated.")
        if request["name"] != before.name:
            raise invalid("The name of a gateway can't be changed.", Violation("name", "can't be changed"))
        declared = self._validate(request, before.gateway_id)
        _refuse_late_search(before, declared)
        after = replace(
            before,
            declared=declared,
            authorizer=JwtAuthorizer.of(declared),
            status="UPDATING",
            status_reasons=(),
            updated_at=clock.now(),
        )
        self._registry.gateways[before.gateway_id] = after
        self._lifecycle.later(self._completion_of(before.gateway_id))
        return after.to_json()

    async def list_all(self, request: Request) -> Answer:
        """Perform ListGateways."""
        found, following = select_page(list(self._registry.gateways.values()), request)
        return {"items": [gateway.to_json() for gateway in found], **following}

    async def delete(self, request: Request) -> Answer:
        """Perform DeleteGateway: it is refused while the gateway has targets; the endpoint closes when the gateway is gone."""
        gateway = self.existing(request)
        if self._registry.targets[gateway.gateway_id]:
            raise conflict(
                f"Gateway with ID: {gateway.gateway_id} has targets associated with it. Delete all targets before deleting the gateway."
            )
        if gateway.status != "DELETING":
            gateway = replace(gateway, status="DELETING", updated_at=clock.now())
            self._registry.gateways[gateway.gateway_id] = gateway
            self._lifecycle.later(self._removal_of(gateway))
        return gateway.to_json()

    def existing(self, request: Request) -> Gateway:
        """Return the gateway that a request names. Raises ResourceNotFoundException."""
        found = self._registry.gateways.get(request["gatewayIdentifier"])
        if found is None:
            raise not_found(f"Gateway not found: {request['gatewayIdentifier']}")
        return found

    def _new_gateway(self, gateway_id: str, url: str, declared: Mapping[str, Any]) -> Gateway:
        moment = clock.now()
        directory = f"arn:aws:bedrock-agentcore:{self._world.region}:{self._world.account_id}:workload-identity-directory"
        return Gateway(
            gateway_id=gateway_id,
            arn=self._arn(gateway_id),
            url=url,
            declared=declared,
            authorizer=JwtAuthorizer.of(declared),
            workload_identity_arn=f"{directory}/default/workload-identity/{gateway_id}",
            created_at=moment,
            updated_at=moment,
        )

    def _arn(self, gateway_id: str) -> str:
        return f"arn:aws:bedrock-agentcore:{self._world.region}:{self._world.account_id}:gateway/{gateway_id}"

    def _refuse_duplicate(self, name: str) -> None:
        if any(gateway.name == name for gateway in self._registry.gateways.values()):
            raise conflict(f"A gateway with name {name} already exists in this account.")

    def _validate(self, request: Request, gateway_id: str) -> dict[str, Any]:
        """Return the declaration inside a request, after every check that AWS performs at once."""
        _refuse_unenforced(request)
        _refuse_bad_authorizer(request)
        unknown = set(request.get("protocolConfiguration", {}).get("mcp", {}).get("supportedVersions", ())) - set(MCP_VERSIONS)
        if unknown:
            message = f"Unsupported MCP versions: {', '.join(sorted(unknown))}. Supported: {', '.join(MCP_VERSIONS)}"
            raise invalid(message, Violation("protocolConfiguration.mcp.supportedVersions", message))
        refuse_unassumable_role(self._world.account_id, request["roleArn"], self._arn(gateway_id))
        return {"protocolType": "MCP", **{key: value for key, value in request.items() if key not in ("clientToken", "tags")}}

    def _completion_of(self, gateway_id: str) -> Callable[[], Awaitable[None]]:
        async def step() -> None:
            gateway = self._registry.gateways.get(gateway_id)
            if gateway is not None and gateway.status in ("CREATING", "UPDATING"):
                self._registry.gateways[gateway_id] = replace(gateway, status="READY", updated_at=clock.now())

        return step

    def _removal_of(self, gateway: Gateway) -> Callable[[], Awaitable[None]]:
        async def step() -> None:
            self._registry.gateways.pop(gateway.gateway_id, None)
            self._registry.targets.pop(gateway.gateway_id, None)
            self._registry.forget(gateway.arn)
            self._registry.unlink_identity(gateway.gateway_id)
            self._tokens.forget(gateway.gateway_id)
            await self._endpoints.close(gateway.gateway_id)

        return step


def _refuse_late_search(before: Gateway, declared: Mapping[str, Any]) -> None:
    wanted = declared.get("protocolConfiguration", {}).get("mcp", {}).get("searchType")
    if wanted == "SEMANTIC" and not before.searchable:
        message = "Semantic search can be enabled only when a gateway is created."
        raise invalid(message, Violation("protocolConfiguration.mcp.searchType", message))


def _refuse_unenforced(request: Request) -> None:
    for member in _NOT_ENFORCED:
        if member in request:
            raise unsupported_error(member)


def _refuse_bad_authorizer(request: Request) -> None:
    kind = request["authorizerType"]
    jwt = request.get("authorizerConfiguration", {}).get("customJWTAuthorizer")
    if kind in ("AWS_IAM", "AUTHENTICATE_ONLY"):
        raise unsupported_error(f"authorizerType {kind}", "Use CUSTOM_JWT.")
    if kind == "NONE":
        if jwt is not None:
            raise invalid("authorizerConfiguration is only for CUSTOM_JWT.", Violation("authorizerConfiguration", "must be absent"))
        return
    if jwt is None:
        message = "authorizerConfiguration.customJWTAuthorizer is required for CUSTOM_JWT."
        raise invalid(message, Violation("authorizerConfiguration", message))
    refuse_bad_jwt(jwt)


def refuse_unassumable_role(account_id: str, role_arn: str, arn: str) -> None:
    """Refuse a role that AgentCore can't assume for the gateway or runtime with this ARN."""
    trust = iam_state.trust_policy(account_id, role_arn)
    if trust is None or not policy.trusts_gateway(trust, {"aws:SourceAccount": account_id, "aws:SourceArn": arn}):
        message = (
            f"AgentCore can't assume role {role_arn}. Verify that it exists and that its trust policy allows "
            f"{policy.GATEWAY_SERVICE} to perform sts:AssumeRole for {arn} in this account."
        )
        raise invalid(message, Violation("roleArn", message))


def refuse_bad_jwt(jwt: Mapping[str, Any]) -> None:
    """Refuse a JWT authorizer that would accept every token of its issuer, or that has what the local AWS can't enforce."""
    for member in _JWT_NOT_ENFORCED:
        if member in jwt:
            raise unsupported_error(f"authorizerConfiguration.customJWTAuthorizer.{member}")
    if not any(jwt.get(member) for member in ("allowedClients", "allowedAudience", "allowedScopes")):
        message = "At least one of allowedAudience, allowedClients or allowedScopes is required."
        raise invalid(message, Violation("authorizerConfiguration.customJWTAuthorizer", message))

"""The AgentCore control plane: from an HTTP request to one operation, and back to the response of AWS; one plane for each region."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import uuid4

from embedded_aws.account import Account
from embedded_aws.agentcore import operations
from embedded_aws.agentcore.api_key_providers import ApiKeyProviders
from embedded_aws.agentcore.catalog import Catalogs
from embedded_aws.agentcore.conventions import ClientTokens, Lifecycle
from embedded_aws.agentcore.data_plane import DataPlane
from embedded_aws.agentcore.errors import ApiError, broken_constraints
from embedded_aws.agentcore.gateways import Gateways
from embedded_aws.agentcore.invocations import Invocations, runtime_in
from embedded_aws.agentcore.oauth2_providers import Oauth2Providers
from embedded_aws.agentcore.operations import Operation
from embedded_aws.agentcore.packages import Packages
from embedded_aws.agentcore.records import Registry
from embedded_aws.agentcore.resource_policies import ResourcePolicies
from embedded_aws.agentcore.runtimes import Runtimes
from embedded_aws.agentcore.tags import Tags
from embedded_aws.agentcore.target_schema import TargetSchemas
from embedded_aws.agentcore.targets import Targets
from embedded_aws.agentcore.token_vault import TokenVaults
from embedded_aws.agentcore.workload_access import WorkloadAccess
from embedded_aws.agentcore.workload_identities import WorkloadIdentities
from embedded_aws.agentcore.workload_tokens import WorkloadTokens
from embedded_aws.credentials import AccessKey
from embedded_aws.http_messages import CutOff, Response, TooLarge, json_response, read_body
from embedded_aws.pace import PACE
from embedded_aws.world import AsgiApp, Receive, Scope, Send, World

type Handler = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]
type DataHandler = Callable[[Mapping[str, Any], AccessKey], Awaitable[dict[str, Any]]]

_BODY_AT_MOST = 6 * 1024 * 1024


class ControlPlane:
    """The `bedrock-agentcore-control` API as an ASGI app, and the operations of `bedrock-agentcore` that are signed.

    Its caller has verified the signature of a request, and puts the key that signed it into `sender` of the scope.

    `change_seconds` is how long a resource stays in CREATING, UPDATING or DELETING. `allowed_hosts` names hosts (`api.example.com`)
    that gateways may send requests to although they do not belong to the local AWS.
    """

    def __init__(self, world: World, *, change_seconds: float = 0.2, allowed_hosts: frozenset[str] = frozenset()) -> None:
        self._one_at_a_time = asyncio.Lock()
        self._lifecycle = Lifecycle(change_seconds)
        registry, catalogs, tokens = Registry(), Catalogs(), ClientTokens()
        self._data_plane = DataPlane(world, registry, catalogs, allowed_hosts)
        gateways = Gateways(world=world, registry=registry, endpoints=self._data_plane, tokens=tokens, lifecycle=self._lifecycle)
        targets = Targets(
            registry=registry,
            gateways=gateways,
            schemas=TargetSchemas(world),
            catalogs=catalogs,
            tokens=tokens,
            lifecycle=self._lifecycle,
        )
        self._packages = Packages(world)
        workload_tokens = WorkloadTokens()
        self.invocations = Invocations(registry, self._packages, self._data_plane.checker, workload_tokens)
        runtimes = Runtimes(world, registry, tokens=tokens, lifecycle=self._lifecycle, retire=self._packages.retire)
        identities = WorkloadIdentities(world, registry)
        self._handlers: dict[str, Handler] = {
            **_gateway_handlers(gateways, targets),
            **_runtime_handlers(runtimes),
            **_provider_handlers(ApiKeyProviders(world, registry), Oauth2Providers(world, registry)),
            **_identity_handlers(identities, TokenVaults(world, registry)),
            **_resource_handlers(Tags(registry), ResourcePolicies(registry)),
        }
        self._data_handlers = _data_handlers(
            WorkloadAccess(
                world,
                registry,
                identities=identities,
                workload_tokens=workload_tokens,
                tokens=self._data_plane.tokens,
                checker_of=self._data_plane.checker,
            )
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        # A client that disconnects before the end of its request expects no response.
        with contextlib.suppress(CutOff):
            response = await self._respond(scope, receive)
            await response.send(send)

    async def close(self) -> None:
        """Close the listener of every gateway, end every package, and cancel the steps that have not run yet."""
        await self._lifecycle.close()
        await self._packages.close()
        await self._data_plane.close_all()

    async def _respond(self, scope: Scope, receive: Receive) -> Response:
        try:
            status, body = await self._perform(scope, receive)
            headers: tuple[tuple[str, str], ...] = ()
        except ApiError as error:
            status, body = error.status, error.to_json()
            headers = (("x-amzn-errortype", error.type),)
        headers = (*headers, ("x-amzn-requestid", str(uuid4())))
        return Response(204, headers=headers) if status == 204 else json_response(status, json.dumps(body).encode(), *headers)

    async def _perform(self, scope: Scope, receive: Receive) -> tuple[int, dict[str, Any]]:
        path = scope.get("raw_path", scope["path"].encode()).partition(b"?")[0].decode("ascii", "replace")
        found = operations.operation_at(scope["method"], path)
        if found is None or not (found[0].name in self._handlers or found[0].name in self._data_handlers):
            raise ApiError("UnknownOperationException", 404, f"The local AWS has no operation at {scope['method']} {path[:200]}")
        operation, labels = found
        try:
            body = await read_body(receive, _BODY_AT_MOST)
        except TooLarge:
            raise ApiError("RequestEntityTooLargeException", 413, "The request is larger than 6 MB.") from None
        request = operations.request_of(operation, labels, scope.get("query_string", b"").decode("latin-1"), body)
        if broken := tuple(operation.model.violations(operation.input_shape, request)):
            raise broken_constraints(broken)
        answer = await self._handle(operation, request, scope)
        return operation.status, operation.model.project(operation.output_shape, answer) if operation.output_shape else {}

    async def _handle(self, operation: Operation, request: Mapping[str, Any], scope: Scope) -> dict[str, Any]:
        if operation.plane == operations.DATA:
            # It changes nothing, and may wait for another server.
            return await self._data_handlers[operation.name](request, scope["sender"])
        async with self._one_at_a_time:
            return await self._handlers[operation.name](request)


def _gateway_handlers(gateways: Gateways, targets: Targets) -> dict[str, Handler]:
    return {
        "CreateGateway": gateways.create,
        "GetGateway": gateways.get,
        "UpdateGateway": gateways.update,
        "ListGateways": gateways.list_all,
        "DeleteGateway": gateways.delete,
        "CreateGatewayTarget": targets.create,
        "GetGatewayTarget": targets.get,
        "UpdateGatewayTarget": targets.update,
        "ListGatewayTargets": targets.list_all,
        "DeleteGatewayTarget": targets.delete,
        "SynchronizeGatewayTargets": targets.synchronize,
    }


def _provider_handlers(keys: ApiKeyProviders, clients: Oauth2Providers) -> dict[str, Handler]:
    return {
        "CreateApiKeyCredentialProvider": keys.create,
        "GetApiKeyCredentialProvider": keys.get,
        "UpdateApiKeyCredentialProvider": keys.update,
        "ListApiKeyCredentialProviders": keys.list_all,
        "DeleteApiKeyCredentialProvider": keys.delete,
        "CreateOauth2CredentialProvider": clients.create,
        "GetOauth2CredentialProvider": clients.get,
        "UpdateOauth2CredentialProvider": clients.update,
        "ListOauth2CredentialProviders": clients.list_all,
        "DeleteOauth2CredentialProvider": clients.delete,
    }


def _identity_handlers(identities: WorkloadIdentities, vaults: TokenVaults) -> dict[str, Handler]:
    return {
        "CreateWorkloadIdentity": identities.create,
        "GetWorkloadIdentity": identities.get,
        "UpdateWorkloadIdentity": identities.update,
        "ListWorkloadIdentities": identities.list_all,
        "DeleteWorkloadIdentity": identities.delete,
        "GetTokenVault": vaults.get,
        "SetTokenVaultCMK": vaults.set_key,
    }


def _resource_handlers(tags: Tags, policies: ResourcePolicies) -> dict[str, Handler]:
    return {
        "TagResource": tags.tag,
        "UntagResource": tags.untag,
        "ListTagsForResource": tags.list_all,
        "PutResourcePolicy": policies.put,
        "GetResourcePolicy": policies.get,
        "DeleteResourcePolicy": policies.delete,
    }


def _data_handlers(access: WorkloadAccess) -> dict[str, DataHandler]:
    return {
        "GetWorkloadAccessToken": access.token,
        "GetWorkloadAccessTokenForJWT": access.token_for_jwt,
        "GetWorkloadAccessTokenForUserId": access.token_for_user_id,
        "GetResourceApiKey": access.api_key,
        "GetResourceOauth2Token": access.oauth2_token,
    }


def _runtime_handlers(runtimes: Runtimes) -> dict[str, Handler]:
    return {
        "CreateAgentRuntime": runtimes.create,
        "GetAgentRuntime": runtimes.get,
        "UpdateAgentRuntime": runtimes.update,
        "ListAgentRuntimes": runtimes.list_all,
        "ListAgentRuntimeVersions": runtimes.list_versions,
        "DeleteAgentRuntime": runtimes.delete,
        "CreateAgentRuntimeEndpoint": runtimes.create_endpoint,
        "GetAgentRuntimeEndpoint": runtimes.get_endpoint,
        "UpdateAgentRuntimeEndpoint": runtimes.update_endpoint,
        "ListAgentRuntimeEndpoints": runtimes.list_endpoints,
        "DeleteAgentRuntimeEndpoint": runtimes.delete_endpoint,
    }


class Regions:
    """The control plane of each region, created at its first request."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._planes: dict[str, ControlPlane] = {}

    def plane(self, region: str) -> ControlPlane:
        """Return the control plane of the region that a request was signed for."""
        if region not in self._planes:
            self._planes[region] = ControlPlane(self._account.in_region(region), change_seconds=PACE.agentcore)
        return self._planes[region]

    def find_invocation(self, raw_path: str) -> AsgiApp | None:
        """Return what answers an invocation of a runtime, in the region that its ARN names; None for another path."""
        plane = self._planes.get((runtime_in(raw_path).split(":") + [""] * 4)[3])
        return plane.invocations if plane else None

    async def close(self) -> None:
        """Close every gateway of every region."""
        for plane in self._planes.values():
            await plane.close()

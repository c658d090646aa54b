"""The gateway target operations of the control plane."""

from __future__ import annotations

import secrets
import string
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from embedded_aws.agentcore.catalog import Catalogs
from embedded_aws.agentcore.conventions import ClientTokens, Lifecycle, select_page
from embedded_aws.agentcore.errors import Violation, conflict, invalid, not_found, over_quota, unsupported_error
from embedded_aws.agentcore.gateways import Gateways
from embedded_aws.agentcore.identity_records import ApiKeyProvider, Oauth2Provider
from embedded_aws.agentcore.records import Gateway, OutboundKey, Registry, Target, outbound_of
from embedded_aws.agentcore.target_schema import Loaded, TargetSchemas
from sre_core import clock

type Request = Mapping[str, Any]
type Answer = dict[str, Any]

_TARGETS_AT_MOST = 100
_ID_LETTERS = string.ascii_uppercase + string.digits
_MEMBERS = {"API_KEY": "apiKeyCredentialProvider", "OAUTH": "oauthCredentialProvider"}
# The other grants are for a user, whose consent no local issuer asks for.
_GRANT = "CLIENT_CREDENTIALS"
_IN_MOTION = ("CREATING", "UPDATING", "SYNCHRONIZING", "DELETING")
_UNSUCCESSFUL = {"CREATING": "FAILED", "UPDATING": "UPDATE_UNSUCCESSFUL", "SYNCHRONIZING": "SYNCHRONIZE_UNSUCCESSFUL"}


class Targets:
    """Creates, updates and deletes targets; a target that is ready is in the catalog of its gateway."""

    def __init__(
        self,
        *,
        registry: Registry,
        gateways: Gateways,
        schemas: TargetSchemas,
        catalogs: Catalogs,
        tokens: ClientTokens,
        lifecycle: Lifecycle,
    ) -> None:
        self._registry = registry
        self._gateways = gateways
        self._schemas = schemas
        self._catalogs = catalogs
        self._tokens = tokens
        self._lifecycle = lifecycle

    async def create(self, request: Request) -> Answer:
        """Perform CreateGatewayTarget: the status is CREATING at once; READY, or FAILED with reasons, a moment later."""
        gateway = self._gateways.existing(request)
        if made := self._tokens.find_created("CreateGatewayTarget", request):
            return self._registry.targets[gateway.gateway_id][made].to_json()
        if gateway.status not in ("READY", "UPDATE_UNSUCCESSFUL"):
            raise invalid(f"Cannot perform operation CreateGatewayTarget when gateway is in {gateway.status} status")
        declared = self._validate(request)
        self._refuse_duplicate(gateway, declared["name"])
        if len(self._registry.targets[gateway.gateway_id]) >= _TARGETS_AT_MOST:
            raise over_quota(f"A gateway has at most {_TARGETS_AT_MOST} targets.")
        moment = clock.now()
        target = Target(
            target_id="".join(secrets.choice(_ID_LETTERS) for _ in range(10)),
            gateway_arn=gateway.arn,
            declared=declared,
            created_at=moment,
            updated_at=moment,
        )
        self._keep(gateway, target)
        self._tokens.remember("CreateGatewayTarget", request, target.target_id)
        self._lifecycle.later(self._loading_of(gateway, target.target_id))
        return target.to_json()

    async def get(self, request: Request) -> Answer:
        """Perform GetGatewayTarget."""
        return self._existing(request).to_json()

    async def update(self, request: Request) -> Answer:
        """Perform UpdateGatewayTarget: it replaces everything; the old tools stay until the new ones are loaded."""
        gateway, before = self._gateways.existing(request), self._movable(request)
        declared = self._validate({"name": before.name, **request})
        if declared["name"] != before.name:
            self._refuse_duplicate(gateway, declared["name"])
        after = replace(before, declared=declared, status="UPDATING", status_reasons=(), updated_at=clock.now())
        self._keep(gateway, after)
        self._lifecycle.later(self._loading_of(gateway, after.target_id))
        return after.to_json()

    async def synchronize(self, request: Request) -> Answer:
        """Perform SynchronizeGatewayTargets: read the schema again."""
        gateway = self._gateways.existing(request)
        answers = []
        for target_id in request["targetIdList"]:
            before = self._movable({**request, "targetId": target_id})
            after = replace(before, status="SYNCHRONIZING", status_reasons=(), updated_at=clock.now())
            self._keep(gateway, after)
            self._lifecycle.later(self._loading_of(gateway, target_id))
            answers.append(after.to_json())
        return {"targets": answers}

    async def list_all(self, request: Request) -> Answer:
        """Perform ListGatewayTargets; a target in DELETING is not shown, although its gateway still has it."""
        gateway = self._gateways.existing(request)
        shown = [target for target in self._registry.targets[gateway.gateway_id].values() if target.status != "DELETING"]
        found, following = select_page(shown, request)
        return {"items": [target.to_json() for target in found], **following}

    async def delete(self, request: Request) -> Answer:
        """Perform DeleteGatewayTarget: it is asynchronous; the gateway can't be deleted before the target is gone."""
        gateway, target = self._gateways.existing(request), self._existing(request)
        if target.status != "DELETING":
            target = replace(target, status="DELETING", updated_at=clock.now())
            self._keep(gateway, target)
            self._catalogs.withdraw(gateway.gateway_id, target.target_id)
            self._lifecycle.later(self._removal_of(gateway, target.target_id))
        return target.to_json()

    def _existing(self, request: Request) -> Target:
        gateway = self._gateways.existing(request)
        found = self._registry.targets[gateway.gateway_id].get(request["targetId"])
        if found is None:
            raise not_found(f"Target not found: {request['targetId']}")
        return found

    def _movable(self, request: Request) -> Target:
        found = self._existing(request)
        if found.status in _IN_MOTION:
            raise conflict(f"Target with ID: {found.target_id} is in status {found.status} and can't be changed now.")
        return found

    def _keep(self, gateway: Gateway, target: Target) -> None:
        self._registry.targets[gateway.gateway_id][target.target_id] = target

    def _refuse_duplicate(self, gateway: Gateway, name: str) -> None:
        if any(target.name == name for target in self._registry.targets[gateway.gateway_id].values()):
            raise conflict(f"A target with name {name} already exists in gateway {gateway.gateway_id}.")

    def _validate(self, request: Request) -> dict[str, Any]:
        _refuse_other_kinds(request)
        _refuse_other_credentials(request)
        outbound = outbound_of(request)
        kind = ApiKeyProvider if isinstance(outbound, OutboundKey) else Oauth2Provider
        if not isinstance(self._registry.provider_of(outbound.provider_arn), kind):
            raise not_found(f"Credential provider not found: {outbound.provider_arn}")
        return {key: value for key, value in request.items() if key not in ("clientToken", "gatewayIdentifier", "targetId")}

    def _loading_of(self, gateway: Gateway, target_id: str) -> Callable[[], Awaitable[None]]:
        async def step() -> None:
            target = self._registry.targets.get(gateway.gateway_id, {}).get(target_id)
            if target is None or target.status not in _UNSUCCESSFUL:
                return
            loaded = self._schemas.load(target)
            moment = clock.now()
            if isinstance(loaded, Loaded):
                after = replace(target, status="READY", updated_at=moment, synchronized_at=moment)
                self._catalogs.offer(gateway.gateway_id, loaded.target)
            else:
                status = _UNSUCCESSFUL[target.status]
                after = replace(target, status=status, status_reasons=loaded.reasons, updated_at=moment)
            self._keep(gateway, after)

        return step

    def _removal_of(self, gateway: Gateway, target_id: str) -> Callable[[], Awaitable[None]]:
        async def step() -> None:
            self._registry.targets.get(gateway.gateway_id, {}).pop(target_id, None)
            self._tokens.forget(target_id)

        return step


def _refuse_other_kinds(request: Request) -> None:
    if not request.get("name"):
        raise invalid("A target needs a name.", Violation("name", "Member must not be null"))
    _refuse_metadata(request.get("metadataConfiguration") or {})
    configuration = request["targetConfiguration"]
    if "openApiSchema" not in configuration.get("mcp", {}):
        kind = next(iter(configuration.get("mcp", configuration)))
        raise unsupported_error(f"targetConfiguration {kind}", "Use mcp.openApiSchema.")


# https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/gateway-headers.html
_RESTRICTED = """
authorization proxy-authorization www-authenticate accept accept-charset accept-encoding accept-language content-type
content-length content-encoding content-language content-location content-range cache-control etag expires if-match
if-modified-since if-none-match if-range if-unmodified-since last-modified pragma vary connection keep-alive
proxy-connection upgrade host user-agent referer from range accept-ranges transfer-encoding te trailer server date
location retry-after set-cookie cookie content-security-policy content-security-policy-report-only
strict-transport-security x-content-type-options x-frame-options x-xss-protection referrer-policy permissions-policy
"""


def _refuse_metadata(metadata: Request) -> None:
    """Refuse what this gateway does not pass on: headers that AWS restricts, headers of responses, and parameters of the URL."""
    if unknown := metadata.keys() - {"allowedRequestHeaders"}:
        raise unsupported_error(f"metadataConfiguration {min(unknown)}", "Use allowedRequestHeaders.")
    for name in metadata.get("allowedRequestHeaders", ()):
        if name.lower() in _RESTRICTED.split():
            message = f"Header {name} is restricted and can't be propagated."
            raise invalid(message, Violation("metadataConfiguration.allowedRequestHeaders", message))


def _refuse_other_credentials(request: Request) -> None:
    configured = request.get("credentialProviderConfigurations")
    if not configured:
        message = "An OpenAPI target needs one credential provider configuration."
        raise invalid(message, Violation("credentialProviderConfigurations", message))
    kind, provider = configured[0]["credentialProviderType"], configured[0].get("credentialProvider", {})
    if _MEMBERS.get(kind, "") not in provider:
        message = "OpenAPI targets support the credential provider types API_KEY and OAUTH, each with its own provider."
        raise invalid(message, Violation("credentialProviderConfigurations", message))
    grant = provider.get("oauthCredentialProvider", {}).get("grantType", _GRANT)
    if grant != _GRANT:
        raise unsupported_error(f"grantType {grant}", f"Use {_GRANT}.")

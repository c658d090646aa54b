"""Fetch API keys as a gateway does: with its role, from the token vault, out of Secrets Manager."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import quote

from embedded_aws import iam_state, policy
from embedded_aws.agentcore.identities import key_in
from embedded_aws.agentcore.records import ApiKeyProvider, Gateway, OutboundKey, Registry
from embedded_aws.agentcore.tools import Outbound
from embedded_aws.world import World
from sre_core import clock
from sre_core.secret import Secret

# As on AWS, a changed key or policy is seen after a moment and not by the very next call.
_REMEMBERED = timedelta(seconds=1)


@dataclass(frozen=True)
class KeyDenied:
    """The reason why the gateway does not get the key, for its owner to read."""

    why: str


class OutboundKeys:
    """Fetches keys with the permissions of the gateway role: a target can be READY while its calls fail because one is missing."""

    def __init__(self, world: World, registry: Registry) -> None:
        self._world = world
        self._registry = registry
        self._remembered: dict[tuple[str, str], tuple[datetime, Secret | KeyDenied]] = {}

    def key(self, gateway: Gateway, provider_arn: str) -> Secret | KeyDenied:
        """Return the API key of a provider, or why this gateway may not have it."""
        now = clock.now()
        cache_key = (gateway.gateway_id, provider_arn)
        moment, found = self._remembered.get(cache_key, (None, None))
        if found is None or moment is None or now - moment > _REMEMBERED:
            found = self._fetch(gateway, provider_arn)
            self._remembered[cache_key] = (now, found)
        return found

    def _fetch(self, gateway: Gateway, provider_arn: str) -> Secret | KeyDenied:
        provider = self._registry.provider_of(provider_arn)
        if provider is None:
            return KeyDenied(f"The credential provider {provider_arn} does not exist.")
        if denied := self._check_permissions(gateway, provider):
            return denied
        text = self._world.secret(provider.secret_arn)
        key = key_in(text, provider.json_key) if text is not None else None
        if key is None:
            return KeyDenied(f"The secret {provider.secret_arn} has no text under the key {provider.json_key}.")
        return Secret(key)

    def _check_permissions(self, gateway: Gateway, provider: ApiKeyProvider) -> KeyDenied | None:
        account = self._world.account_id
        context = {"aws:SourceAccount": account, "aws:SourceArn": gateway.arn}
        trust = iam_state.trust_policy(account, gateway.role_arn)
        if trust is None or not policy.trusts_gateway(trust, context):
            return KeyDenied(f"AgentCore can't assume the gateway's role {gateway.role_arn}.")
        policies = iam_state.role_policies(account, gateway.role_arn)
        for action, resource in _permissions_for(gateway.workload_identity_arn, provider):
            if not policy.allows(policies, action, resource, {"aws:SourceAccount": account, "aws:ResourceAccount": account}):
                return KeyDenied(f"The gateway's role {gateway.role_arn} is not authorized to perform {action} on {resource}.")
        return None


def _permissions_for(identity_arn: str, provider: ApiKeyProvider) -> Iterator[tuple[str, str]]:
    """Return every action and resource that the role needs: AWS checks an identity and its directory, a provider and its vault."""
    directory = identity_arn.partition("/workload-identity/")[0]
    vault = provider.arn.partition("/apikeycredentialprovider/")[0]
    for resource in (directory, identity_arn):
        yield "bedrock-agentcore:GetWorkloadAccessToken", resource
    for resource in (directory, identity_arn, vault, provider.arn):
        yield "bedrock-agentcore:GetResourceApiKey", resource
    yield "secretsmanager:GetSecretValue", provider.secret_arn


def with_key(request: Outbound, key: Secret, place: OutboundKey) -> Outbound:
    """Add the key to a request where the target expects it; it replaces a parameter of the same name."""
    text = f"{place.prefix} {key.reveal()}" if place.prefix else key.reveal()
    if place.location == "QUERY_PARAMETER":
        joint = "&" if "?" in request.url else "?"
        return replace(request, url=f"{request.url}{joint}{quote(place.name, safe='')}={quote(text, safe='')}")
    others = {name: value for name, value in request.headers.items() if name.lower() != place.name.lower()}
    return replace(request, headers={**others, place.name: text})

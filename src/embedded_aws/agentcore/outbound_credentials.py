"""Authenticate the requests of a gateway: with its role, from the token vault, out of Secrets Manager."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import quote

from embedded_aws import iam_state, policy
from embedded_aws.agentcore.identity_records import ApiKeyProvider, Oauth2Provider
from embedded_aws.agentcore.oauth2_tokens import Oauth2Tokens, TokenDenied
from embedded_aws.agentcore.provider_secrets import key_in
from embedded_aws.agentcore.records import Gateway, OutboundKey, OutboundToken, Registry
from embedded_aws.agentcore.tools import Outbound
from embedded_aws.world import World
from sre_core import clock
from sre_core.secret import Secret

# As on AWS, a changed key or policy is seen after a moment and not by the very next call.
_REMEMBERED = timedelta(seconds=1)


class OutboundCredentials:
    """Fetches them with the permissions of the gateway role: a target can be READY while its calls fail because one is missing."""

    def __init__(self, world: World, registry: Registry, tokens: Oauth2Tokens) -> None:
        self._world = world
        self._registry = registry
        self._tokens = tokens
        self._remembered: dict[tuple[str, OutboundKey | OutboundToken], tuple[datetime, Secret | TokenDenied]] = {}

    async def authenticate(self, request: Outbound, gateway: Gateway, outbound: OutboundKey | OutboundToken) -> Outbound | TokenDenied:
        """Return the request with the key or token of its target, or why this gateway may not have it."""
        now = clock.now()
        moment, found = self._remembered.get((gateway.gateway_id, outbound), (None, None))
        if found is None or moment is None or now - moment > _REMEMBERED:
            found = await self._fetch(gateway, outbound)
            self._remembered[(gateway.gateway_id, outbound)] = (now, found)
        if isinstance(found, TokenDenied):
            return found
        return with_key(request, found, outbound) if isinstance(outbound, OutboundKey) else with_token(request, found)

    async def _fetch(self, gateway: Gateway, outbound: OutboundKey | OutboundToken) -> Secret | TokenDenied:
        provider = self._registry.provider_of(outbound.provider_arn)
        if provider is None:
            return TokenDenied(f"The credential provider {outbound.provider_arn} does not exist.")
        if denied := self._check_permissions(gateway, provider):
            return denied
        if isinstance(provider, Oauth2Provider) and isinstance(outbound, OutboundToken):
            return await self._tokens.token(provider, outbound.scopes, dict(outbound.parameters))
        text = self._world.secret(provider.secret.arn)
        key = key_in(text, provider.secret.json_key) if text is not None else None
        if key is None:
            return TokenDenied(f"The secret {provider.secret.arn} has no text under the key {provider.secret.json_key}.")
        return Secret(key)

    def _check_permissions(self, gateway: Gateway, provider: ApiKeyProvider | Oauth2Provider) -> TokenDenied | None:
        account = self._world.account_id
        context = {"aws:SourceAccount": account, "aws:SourceArn": gateway.arn}
        trust = iam_state.trust_policy(account, gateway.role_arn)
        if trust is None or not policy.trusts_gateway(trust, context):
            return TokenDenied(f"AgentCore can't assume the gateway's role {gateway.role_arn}.")
        boundary = iam_state.role_boundary(account, gateway.role_arn)
        groups = (iam_state.role_policies(account, gateway.role_arn), *((boundary,) if boundary is not None else ()))
        keys = {"aws:SourceAccount": account, "aws:ResourceAccount": account}
        for action, resource in _permissions_for(gateway.workload_identity_arn, provider):
            if not all(policy.allows(policies, action, resource, keys) for policies in groups):
                return TokenDenied(f"The gateway's role {gateway.role_arn} is not authorized to perform {action} on {resource}.")
        return None


def _permissions_for(identity_arn: str, provider: ApiKeyProvider | Oauth2Provider) -> Iterator[tuple[str, str]]:
    """Return every action and resource that the role needs: AWS checks an identity and its directory, a provider and its vault."""
    directory = identity_arn.partition("/workload-identity/")[0]
    # An ARN is vault, kind of provider, name.
    vault = provider.arn.rsplit("/", 2)[0]
    action = "GetResourceOauth2Token" if isinstance(provider, Oauth2Provider) else "GetResourceApiKey"
    for resource in (directory, identity_arn):
        yield "bedrock-agentcore:GetWorkloadAccessToken", resource
    for resource in (directory, identity_arn, vault, provider.arn):
        yield f"bedrock-agentcore:{action}", resource
    yield "secretsmanager:GetSecretValue", provider.secret.arn


def with_key(request: Outbound, key: Secret, place: OutboundKey) -> Outbound:
    """Add the key to a request where the target expects it; it replaces a parameter of the same name."""
    text = f"{place.prefix} {key.reveal()}" if place.prefix else key.reveal()
    if place.location == "QUERY_PARAMETER":
        joint = "&" if "?" in request.url else "?"
        return replace(request, url=f"{request.url}{joint}{quote(place.name, safe='')}={quote(text, safe='')}")
    return _with_header(request, place.name, text)


def with_token(request: Outbound, token: Secret) -> Outbound:
    """Add an access token to a request, as RFC 6750 has it."""
    return _with_header(request, "Authorization", f"Bearer {token.reveal()}")


def _with_header(request: Outbound, name: str, text: str) -> Outbound:
    others = {each: value for each, value in request.headers.items() if each.lower() != name.lower()}
    return replace(request, headers={**others, name: text})

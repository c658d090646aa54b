"""The OAuth2 clients that agents and gateways may use."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from embedded_aws.agentcore.credential_providers import Answer, CredentialProviders, Request
from embedded_aws.agentcore.errors import Violation, invalid, unsupported_error
from embedded_aws.agentcore.identity_records import Oauth2Provider
from embedded_aws.agentcore.oauth2_vendors import config_member, find_discovery
from embedded_aws.agentcore.provider_secrets import CLIENT_SECRET
from embedded_aws.agentcore.records import Registry
from embedded_aws.world import World
from sre_core import clock

_SECRET_METHODS = ("CLIENT_SECRET_BASIC", "CLIENT_SECRET_POST")
_NOT_SERVED = (
    "onBehalfOfTokenExchangeConfig",
    "privateKeyJwtConfig",
    "privateEndpoint",
    "privateEndpointOverrides",
    "certificateConfigurations",
)
# What an answer repeats of the request, besides `oauthDiscovery`.
_SHOWN = ("clientId", "clientAuthenticationMethod")


class Oauth2Providers(CredentialProviders[Oauth2Provider]):
    """The operations on OAuth2 credential providers."""

    def __init__(self, world: World, registry: Registry) -> None:
        super().__init__(world, registry, kept=registry.oauth2_providers, members=CLIENT_SECRET, kind="oauth2credentialprovider", page=20)

    async def create(self, request: Request) -> Answer:
        """Perform CreateOauth2CredentialProvider: store the client's secret, or refer to a secret of the caller."""
        name = request["name"]
        self.refuse_another(name)
        member, config = _read_config(request)
        moment = clock.now()
        provider = Oauth2Provider(
            name=name,
            arn=self.arn(name),
            vendor=request["credentialProviderVendor"],
            config_member=member,
            config=_shown(request, config),
            secret=self._secrets.store(name, config),
            callback_url=f"https://bedrock-agentcore.{self._world.region}.amazonaws.com/identities/oauth2/callback/{uuid.uuid4()}",
            created_at=moment,
            updated_at=moment,
        )
        return self.add(provider, request.get("tags", {}))

    async def update(self, request: Request) -> Answer:
        """Perform UpdateOauth2CredentialProvider: replace the configuration and the secret."""
        before = self.find(request)
        if request["credentialProviderVendor"] != before.vendor:
            raise _wrong("credentialProviderVendor", "The vendor of a credential provider can't be changed.")
        _, config = _read_config(request)
        after = replace(
            before,
            config=_shown(request, config),
            secret=self._secrets.replace(before.name, before.secret, config),
            updated_at=clock.now(),
        )
        self._kept[before.name] = after
        return after.to_json()


def _read_config(request: Request) -> tuple[str, Mapping[str, Any]]:
    """Return the configuration of the vendor that a request names, and its member, after every check that AWS performs at once."""
    vendor, union = request["credentialProviderVendor"], request["oauth2ProviderConfigInput"]
    member = config_member(vendor)
    if member not in union:
        raise _wrong("oauth2ProviderConfigInput", f"The vendor {vendor} is configured by {member}")
    config: Mapping[str, Any] = union[member]
    for unserved in _NOT_SERVED:
        if unserved in config:
            raise unsupported_error(f"oauth2ProviderConfigInput.{member}.{unserved}")
    method = config.get("clientAuthenticationMethod", _SECRET_METHODS[0])
    if method not in _SECRET_METHODS:
        raise unsupported_error(f"clientAuthenticationMethod {method}", f"Use {' or '.join(_SECRET_METHODS)}.")
    if not config.get("clientId"):
        raise _wrong(f"oauth2ProviderConfigInput.{member}.clientId", "clientId is required to authenticate with a client secret")
    return member, config


def _shown(request: Request, config: Mapping[str, Any]) -> Mapping[str, Any]:
    discovery = find_discovery(request["credentialProviderVendor"], config)
    return {"oauthDiscovery": discovery, **{name: config[name] for name in _SHOWN if name in config}}


def _wrong(member: str, message: str) -> Exception:
    return invalid(message, Violation(member, message))

"""The records of the control plane: values that are replaced, never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from embedded_aws.agentcore.errors import over_quota
from embedded_aws.agentcore.identity_records import ApiKeyProvider, Oauth2Provider, TokenVault, WorkloadIdentity
from sre_core import clock

if TYPE_CHECKING:
    from embedded_aws.agentcore.runtime_records import Runtime, RuntimeEndpoint

LEGACY_VERSIONS = ("2025-03-26", "2025-06-18", "2025-11-25")
STATELESS_VERSIONS = ("2026-07-28",)
MCP_VERSIONS = (*LEGACY_VERSIONS, *STATELESS_VERSIONS)
_PROVIDERS_AT_MOST = 50


@dataclass(frozen=True)
class JwtAuthorizer:
    """The tokens that a gateway accepts."""

    discovery_url: str
    clients: frozenset[str]
    audiences: frozenset[str]
    scopes: tuple[str, ...]

    @classmethod
    def of(cls, declared: Mapping[str, Any]) -> JwtAuthorizer | None:
        """Return the authorizer of a gateway, or None where it has none."""
        parts = declared.get("authorizerConfiguration", {}).get("customJWTAuthorizer")
        if parts is None:
            return None
        return cls(
            discovery_url=parts["discoveryUrl"],
            clients=frozenset(parts.get("allowedClients", ())),
            audiences=frozenset(parts.get("allowedAudience", ())),
            scopes=tuple(parts.get("allowedScopes", ())),
        )


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """A gateway: the declaration of its owner, and the values that AWS adds."""

    gateway_id: str
    arn: str
    url: str
    declared: Mapping[str, Any]
    authorizer: JwtAuthorizer | None
    workload_identity_arn: str
    created_at: datetime
    updated_at: datetime
    status: str = "CREATING"
    status_reasons: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return str(self.declared["name"])

    @property
    def role_arn(self) -> str:
        return str(self.declared["roleArn"])

    @property
    def mcp(self) -> Mapping[str, Any]:
        """Return the MCP protocol configuration; empty where nothing was configured."""
        configured: Mapping[str, Any] = self.declared.get("protocolConfiguration", {}).get("mcp", {})
        return configured

    @property
    def versions(self) -> tuple[str, ...]:
        """Return the MCP versions that this gateway serves, oldest first."""
        wanted = self.mcp.get("supportedVersions") or MCP_VERSIONS
        return tuple(version for version in MCP_VERSIONS if version in wanted)

    @property
    def searchable(self) -> bool:
        return self.mcp.get("searchType") == "SEMANTIC"

    @property
    def debug(self) -> bool:
        return self.declared.get("exceptionLevel") == "DEBUG"

    def to_json(self) -> dict[str, Any]:
        """Return every member of any response about a gateway; each response takes those of its own shape."""
        return {
            **self.declared,
            "gatewayId": self.gateway_id,
            "gatewayArn": self.arn,
            "gatewayUrl": self.url,
            "createdAt": clock.stamp(self.created_at),
            "updatedAt": clock.stamp(self.updated_at),
            "status": self.status,
            "statusReasons": list(self.status_reasons),
            "workloadIdentityDetails": {"workloadIdentityArn": self.workload_identity_arn},
        }


@dataclass(frozen=True)
class OutboundKey:
    """The API key that a target's requests have, and its place in them."""

    provider_arn: str
    location: str
    name: str
    prefix: str


@dataclass(frozen=True)
class OutboundToken:
    """The access token that a target's requests have, by the client credentials grant."""

    provider_arn: str
    scopes: tuple[str, ...]
    parameters: tuple[tuple[str, str], ...]


def outbound_of(declared: Mapping[str, Any]) -> OutboundKey | OutboundToken:
    """Return what a target authenticates with, whose credential configuration was accepted."""
    provider = declared["credentialProviderConfigurations"][0]["credentialProvider"]
    if parts := provider.get("oauthCredentialProvider"):
        return OutboundToken(parts["providerArn"], tuple(parts["scopes"]), tuple(parts.get("customParameters", {}).items()))
    parts = provider["apiKeyCredentialProvider"]
    return OutboundKey(
        provider_arn=parts["providerArn"],
        location=parts.get("credentialLocation", "HEADER"),
        name=parts.get("credentialParameterName", "Authorization"),
        prefix=parts.get("credentialPrefix", ""),
    )


@dataclass(frozen=True, kw_only=True)
class Target:
    """One API behind a gateway."""

    target_id: str
    gateway_arn: str
    declared: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime
    status: str = "CREATING"
    status_reasons: tuple[str, ...] = ()
    synchronized_at: datetime | None = None

    @property
    def name(self) -> str:
        return str(self.declared["name"])

    @property
    def openapi_schema(self) -> Mapping[str, Any]:
        """Return `{"s3": {"uri": …}}` or `{"inlinePayload": …}`."""
        found: Mapping[str, Any] = self.declared["targetConfiguration"]["mcp"]["openApiSchema"]
        return found

    @property
    def passed_headers(self) -> tuple[str, ...]:
        """Return the headers of a client's request that the target's server gets, too."""
        return tuple(self.declared.get("metadataConfiguration", {}).get("allowedRequestHeaders", ()))

    @property
    def certificate_configurations(self) -> tuple[Mapping[str, Any], ...]:
        return tuple(self.declared.get("certificateConfigurations", ()))

    def to_json(self) -> dict[str, Any]:
        """Return every member of any response about a target."""
        answer = {
            **self.declared,
            "gatewayArn": self.gateway_arn,
            "targetId": self.target_id,
            "createdAt": clock.stamp(self.created_at),
            "updatedAt": clock.stamp(self.updated_at),
            "status": self.status,
            "statusReasons": list(self.status_reasons),
            "targetType": "OPEN_API_SCHEMA",
        }
        if self.synchronized_at:
            answer["lastSynchronizedAt"] = clock.stamp(self.synchronized_at)
        return answer


@dataclass
class Registry:
    """All AgentCore resources of one account and region."""

    gateways: dict[str, Gateway] = field(default_factory=dict)
    targets: dict[str, dict[str, Target]] = field(default_factory=dict)
    providers: dict[str, ApiKeyProvider] = field(default_factory=dict)
    oauth2_providers: dict[str, Oauth2Provider] = field(default_factory=dict)
    identities: dict[str, WorkloadIdentity] = field(default_factory=dict)
    vault: TokenVault = field(default_factory=lambda: TokenVault("", clock.now()))
    runtimes: dict[str, Runtime] = field(default_factory=dict)
    endpoints: dict[str, dict[str, RuntimeEndpoint]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=dict)
    """The resource-based policies of gateways, runtimes and endpoints, as they were sent."""

    def provider_of(self, arn: str) -> ApiKeyProvider | Oauth2Provider | None:
        """Return the credential provider of this ARN."""
        every: tuple[ApiKeyProvider | Oauth2Provider, ...] = (*self.providers.values(), *self.oauth2_providers.values())
        return next((provider for provider in every if provider.arn == arn), None)

    def link_identity(self, name: str, arn: str) -> None:
        """Add the workload identity of a gateway or runtime."""
        moment = clock.now()
        self.identities[name] = WorkloadIdentity(name=name, arn=arn, created_at=moment, updated_at=moment, linked=True)
        self.tags[arn] = {}

    def unlink_identity(self, name: str) -> None:
        """Remove the workload identity of a gateway or runtime that is gone."""
        if identity := self.identities.pop(name, None):
            self.forget(identity.arn)

    def forget(self, arn: str) -> None:
        """Remove the tags and the policy of a resource that is gone."""
        self.tags.pop(arn, None)
        self.policies.pop(arn, None)

    def refuse_another_provider(self) -> None:
        """Raise ServiceQuotaExceededException where the account has as many credential providers as it may."""
        if len(self.providers) + len(self.oauth2_providers) >= _PROVIDERS_AT_MOST:
            raise over_quota(f"An account has at most {_PROVIDERS_AT_MOST} credential providers.")

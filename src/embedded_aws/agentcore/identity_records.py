"""The records of AgentCore Identity: credential providers, workload identities and the token vault; none holds a secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class StoredSecret:
    """The place of a provider's secret: a key in the JSON of a secret of AgentCore's (MANAGED) or of the caller's (EXTERNAL)."""

    arn: str
    json_key: str
    source: str

    def to_json(self, prefix: str) -> dict[str, Any]:
        """Return the members that name it, such as `apiKeySecretArn` for the prefix `apiKeySecret`."""
        return {f"{prefix}Arn": {"secretArn": self.arn}, f"{prefix}JsonKey": self.json_key, f"{prefix}Source": self.source}


@dataclass(frozen=True, kw_only=True)
class ApiKeyProvider:
    """The place where an API key is stored; never the key itself."""

    name: str
    arn: str
    secret: StoredSecret
    created_at: datetime
    updated_at: datetime

    def to_json(self) -> dict[str, Any]:
        """Return every member of any response about a provider."""
        return {
            "name": self.name,
            "credentialProviderArn": self.arn,
            **self.secret.to_json("apiKeySecret"),
            "createdTime": self.created_at.timestamp(),
            "lastUpdatedTime": self.updated_at.timestamp(),
        }


@dataclass(frozen=True, kw_only=True)
class Oauth2Provider:
    """A client of an authorization server, and the place where its secret is stored."""

    name: str
    arn: str
    vendor: str
    config_member: str
    """The member of the union that configures this vendor, such as `customOauth2ProviderConfig`."""
    config: Mapping[str, Any]
    """The configuration without secrets, with `oauthDiscovery`."""
    secret: StoredSecret
    callback_url: str
    created_at: datetime
    updated_at: datetime

    @property
    def client_id(self) -> str:
        return str(self.config.get("clientId", ""))

    @property
    def discovery(self) -> Mapping[str, Any]:
        """Return `{"discoveryUrl": …}` or `{"authorizationServerMetadata": …}`."""
        found: Mapping[str, Any] = self.config["oauthDiscovery"]
        return found

    def to_json(self) -> dict[str, Any]:
        """Return every member of any response about a provider."""
        return {
            "name": self.name,
            "credentialProviderArn": self.arn,
            "credentialProviderVendor": self.vendor,
            "oauth2ProviderConfigOutput": {self.config_member: dict(self.config)},
            **self.secret.to_json("clientSecret"),
            "callbackUrl": self.callback_url,
            "status": "READY",
            "createdTime": self.created_at.timestamp(),
            "lastUpdatedTime": self.updated_at.timestamp(),
        }


@dataclass(frozen=True, kw_only=True)
class WorkloadIdentity:
    """The identity with which an agent uses the token vault. One of a gateway or runtime is created and deleted with it."""

    name: str
    arn: str
    created_at: datetime
    updated_at: datetime
    return_urls: tuple[str, ...] = ()
    linked: bool = False
    """A gateway or runtime manages it."""

    def to_json(self) -> dict[str, Any]:
        """Return every member of any response about a workload identity."""
        return {
            "name": self.name,
            "workloadIdentityArn": self.arn,
            "allowedResourceOauth2ReturnUrls": list(self.return_urls),
            "createdTime": self.created_at.timestamp(),
            "lastUpdatedTime": self.updated_at.timestamp(),
        }


@dataclass(frozen=True)
class TokenVault:
    """The one vault of an account and region; an empty `key_arn` is AgentCore's own key."""

    key_arn: str
    updated_at: datetime

    def to_json(self) -> dict[str, Any]:
        """Return every member of any response about the vault."""
        customer = {"keyType": "CustomerManagedKey", "kmsKeyArn": self.key_arn}
        return {
            "tokenVaultId": "default",
            "kmsConfiguration": customer if self.key_arn else {"keyType": "ServiceManagedKey"},
            "lastModifiedDate": self.updated_at.timestamp(),
        }

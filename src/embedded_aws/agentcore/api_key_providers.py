"""The API keys that gateways may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from embedded_aws.agentcore.conventions import select_page
from embedded_aws.agentcore.errors import conflict, not_found
from embedded_aws.agentcore.identity_records import ApiKeyProvider
from embedded_aws.agentcore.provider_secrets import API_KEY, ProviderSecrets
from embedded_aws.agentcore.records import Registry
from embedded_aws.world import World
from sre_core import clock

type Request = Mapping[str, Any]
type Answer = dict[str, Any]


class ApiKeyProviders:
    """The operations on API key credential providers."""

    def __init__(self, world: World, registry: Registry) -> None:
        self._world = world
        self._registry = registry
        self._secrets = ProviderSecrets(world, API_KEY)

    async def create(self, request: Request) -> Answer:
        """Perform CreateApiKeyCredentialProvider: store the key in a secret, or refer to a secret of the caller."""
        name = request["name"]
        if name in self._registry.providers:
            raise conflict(f"Credential provider with name: {name} already exists")
        self._registry.refuse_another_provider()
        moment = clock.now()
        provider = ApiKeyProvider(
            name=name, arn=self._arn(name), secret=self._secrets.store(name, request), created_at=moment, updated_at=moment
        )
        self._registry.providers[name] = provider
        self._registry.tags[provider.arn] = dict(request.get("tags", {}))
        return provider.to_json()

    async def get(self, request: Request) -> Answer:
        """Perform GetApiKeyCredentialProvider: return where the key is, never the key."""
        return self._provider(request).to_json()

    async def update(self, request: Request) -> Answer:
        """Perform UpdateApiKeyCredentialProvider: replace the key, or the secret that holds it."""
        before = self._provider(request)
        after = replace(before, secret=self._secrets.replace(before.name, before.secret, request), updated_at=clock.now())
        self._registry.providers[before.name] = after
        return after.to_json()

    async def list_all(self, request: Request) -> Answer:
        """Perform ListApiKeyCredentialProviders."""
        found, following = select_page(list(self._registry.providers.values()), request)
        return {"credentialProviders": [provider.to_json() for provider in found], **following}

    async def delete(self, request: Request) -> Answer:
        """Perform DeleteApiKeyCredentialProvider: a managed secret is deleted with it, a secret of the caller stays."""
        provider = self._provider(request)
        self._secrets.drop(provider.secret)
        del self._registry.providers[provider.name]
        self._registry.forget(provider.arn)
        return {}

    def _provider(self, request: Request) -> ApiKeyProvider:
        found = self._registry.providers.get(request["name"])
        if found is None:
            raise not_found(f"Credential provider not found: {request['name']}")
        return found

    def _arn(self, name: str) -> str:
        # The documented patterns contradict one another (service `acps`, no underscore); tagging takes only this form.
        vault = f"arn:aws:bedrock-agentcore:{self._world.region}:{self._world.account_id}:token-vault/default"
        return f"{vault}/apikeycredentialprovider/{name}"

"""The parts that both kinds of credential providers share: look-up, pages, deletion, and their place in the token vault."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from embedded_aws.agentcore.conventions import select_page
from embedded_aws.agentcore.errors import conflict, not_found
from embedded_aws.agentcore.identity_records import ApiKeyProvider, Oauth2Provider
from embedded_aws.agentcore.provider_secrets import Members, ProviderSecrets
from embedded_aws.agentcore.records import Registry
from embedded_aws.world import World

type Request = Mapping[str, Any]
type Answer = dict[str, Any]


class CredentialProviders[Provider: (ApiKeyProvider, Oauth2Provider)]:
    """The operations that one kind of provider shares with the other. `kept` are the registry's, by name."""

    def __init__(self, world: World, registry: Registry, *, kept: dict[str, Provider], members: Members, kind: str, page: int) -> None:
        self._world = world
        self._registry = registry
        self._kept: dict[str, Provider] = kept
        self._secrets = ProviderSecrets(world, members)
        self._kind = kind
        self._page = page

    async def get(self, request: Request) -> Answer:
        """Return where the secret of a provider is, never the secret."""
        return self.find(request).to_json()

    async def list_all(self, request: Request) -> Answer:
        """Return one page of providers."""
        found, following = select_page(list(self._kept.values()), request, default=self._page)
        return {"credentialProviders": [provider.to_json() for provider in found], **following}

    async def delete(self, request: Request) -> Answer:
        """Delete a provider: a managed secret is deleted with it, a secret of the caller stays."""
        provider = self.find(request)
        self._secrets.drop(provider.secret)
        del self._kept[provider.name]
        self._registry.forget(provider.arn)
        return {}

    def find(self, request: Request) -> Provider:
        """Find the provider that a request names. Raises ResourceNotFoundException."""
        found = self._kept.get(request["name"])
        if found is None:
            raise not_found(f"Credential provider not found: {request['name']}")
        return found

    def refuse_another(self, name: str) -> None:
        """Raise ConflictException where the name is taken, and ServiceQuotaExceededException where there are too many."""
        if name in self._kept:
            raise conflict(f"Credential provider with name: {name} already exists")
        self._registry.refuse_another_provider()

    def add(self, provider: Provider, tags: Mapping[str, str]) -> Answer:
        """Keep a new provider with its tags."""
        self._kept[provider.name] = provider
        self._registry.tags[provider.arn] = dict(tags)
        return provider.to_json()

    def arn(self, name: str) -> str:
        """Name a provider. The documented patterns contradict one another (service `acps`, no underscore); tagging takes only this form."""
        vault = f"arn:aws:bedrock-agentcore:{self._world.region}:{self._world.account_id}:token-vault/default"
        return f"{vault}/{self._kind}/{name}"

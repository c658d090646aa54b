"""The API keys that gateways may use."""

from __future__ import annotations

from dataclasses import replace

from embedded_aws.agentcore.credential_providers import Answer, CredentialProviders, Request
from embedded_aws.agentcore.identity_records import ApiKeyProvider
from embedded_aws.agentcore.provider_secrets import API_KEY
from embedded_aws.agentcore.records import Registry
from embedded_aws.world import World
from sre_core import clock


class ApiKeyProviders(CredentialProviders[ApiKeyProvider]):
    """The operations on API key credential providers."""

    def __init__(self, world: World, registry: Registry) -> None:
        super().__init__(world, registry, kept=registry.providers, members=API_KEY, kind="apikeycredentialprovider", page=100)

    async def create(self, request: Request) -> Answer:
        """Perform CreateApiKeyCredentialProvider: store the key in a secret, or refer to a secret of the caller."""
        name, moment = request["name"], clock.now()
        self.refuse_another(name)
        provider = ApiKeyProvider(
            name=name, arn=self.arn(name), secret=self._secrets.store(name, request), created_at=moment, updated_at=moment
        )
        return self.add(provider, request.get("tags", {}))

    async def update(self, request: Request) -> Answer:
        """Perform UpdateApiKeyCredentialProvider: replace the key, or the secret that holds it."""
        before = self.find(request)
        after = replace(before, secret=self._secrets.replace(before.name, before.secret, request), updated_at=clock.now())
        self._kept[before.name] = after
        return after.to_json()

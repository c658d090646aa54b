"""Credential providers and workload identities: the identity of a gateway, and the API keys that it may use."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from embedded_aws import moto_state
from embedded_aws.agentcore.conventions import select_page
from embedded_aws.agentcore.errors import Violation, conflict, invalid, not_found, over_quota
from embedded_aws.agentcore.records import ApiKeyProvider, Registry
from embedded_aws.world import World
from sre_core import clock

type Request = Mapping[str, Any]
type Answer = dict[str, Any]

_PROVIDERS_AT_MOST = 50
_MANAGED_JSON_KEY = "api_key_value"


class Identities:
    """The identity operations of the control plane."""

    def __init__(self, world: World, registry: Registry) -> None:
        self._world = world
        self._registry = registry

    async def create(self, request: Request) -> Answer:
        """Perform CreateApiKeyCredentialProvider: store the key in a secret, or refer to a secret of the caller."""
        name = request["name"]
        if name in self._registry.providers:
            raise conflict(f"Credential provider with name: {name} already exists")
        if len(self._registry.providers) >= _PROVIDERS_AT_MOST:
            raise over_quota(f"An account has at most {_PROVIDERS_AT_MOST} credential providers.")
        moment = clock.now()
        secret_arn, json_key, source = self._secret_for(request)
        provider = ApiKeyProvider(
            name=name,
            arn=self._arn(name),
            secret_arn=secret_arn,
            json_key=json_key,
            source=source,
            created_at=moment,
            updated_at=moment,
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
        if before.source == "MANAGED" and _source(request) == "MANAGED":
            text = json.dumps({_MANAGED_JSON_KEY: _api_key(request)})
            moto_state.update_secret(self._world.account_id, self._world.region, before.secret_arn, text)
            after = replace(before, updated_at=clock.now())
        else:
            secret_arn, json_key, source = self._secret_for(request)
            self._drop_managed_secret(before)
            after = replace(before, secret_arn=secret_arn, json_key=json_key, source=source, updated_at=clock.now())
        self._registry.providers[before.name] = after
        return after.to_json()

    async def list_all(self, request: Request) -> Answer:
        """Perform ListApiKeyCredentialProviders."""
        found, following = select_page(list(self._registry.providers.values()), request)
        return {"credentialProviders": [provider.to_json() for provider in found], **following}

    async def delete(self, request: Request) -> Answer:
        """Perform DeleteApiKeyCredentialProvider: a managed secret is deleted with it, a secret of the caller stays."""
        provider = self._provider(request)
        self._drop_managed_secret(provider)
        del self._registry.providers[provider.name]
        self._registry.tags.pop(provider.arn, None)
        return {}

    async def get_workload_identity(self, request: Request) -> Answer:
        """Perform GetWorkloadIdentity: the identity of a gateway has the id of the gateway as its name."""
        found = self._registry.identities.get(request["name"])
        if found is None:
            raise not_found(f"Workload identity not found: {request['name']}")
        return found.to_json()

    async def list_workload_identities(self, request: Request) -> Answer:
        """Perform ListWorkloadIdentities."""
        found, following = select_page(list(self._registry.identities.values()), request, default=20)
        return {"workloadIdentities": [identity.to_json() for identity in found], **following}

    def _provider(self, request: Request) -> ApiKeyProvider:
        found = self._registry.providers.get(request["name"])
        if found is None:
            raise not_found(f"Credential provider not found: {request['name']}")
        return found

    def _arn(self, name: str) -> str:
        # The documented patterns contradict one another (service `acps`, no underscore); tagging takes only this form.
        vault = f"arn:aws:bedrock-agentcore:{self._world.region}:{self._world.account_id}:token-vault/default"
        return f"{vault}/apikeycredentialprovider/{name}"

    def _secret_for(self, request: Request) -> tuple[str, str, str]:
        """Return the ARN of the secret, the JSON key in it, and its owner (MANAGED or EXTERNAL)."""
        if _source(request) == "EXTERNAL":
            return *self._external_secret(request), "EXTERNAL"
        text = json.dumps({_MANAGED_JSON_KEY: _api_key(request)})
        name = f"bedrock-agentcore-identity!default/apikey/{request['name']}"
        arn = moto_state.create_secret(self._world.account_id, self._world.region, name, text)
        return arn, _MANAGED_JSON_KEY, "MANAGED"

    def _external_secret(self, request: Request) -> tuple[str, str]:
        reference = request.get("apiKeySecretConfig")
        if reference is None:
            raise _missing("apiKeySecretConfig", "apiKeySecretConfig is required when apiKeySecretSource is EXTERNAL")
        arn = moto_state.secret_arn(self._world.account_id, self._world.region, reference["secretId"])
        text = self._world.secret(arn) if arn else None
        if arn is None or text is None:
            raise not_found(f"Secrets Manager can't find the secret: {reference['secretId']}")
        if key_in(text, reference["jsonKey"]) is None:
            raise _missing("apiKeySecretConfig.jsonKey", "The secret's JSON has no text under this key")
        return arn, reference["jsonKey"]

    def _drop_managed_secret(self, provider: ApiKeyProvider) -> None:
        if provider.source == "MANAGED":
            moto_state.delete_secret(self._world.account_id, self._world.region, provider.secret_arn)


def key_in(secret_string: str, json_key: str) -> str | None:
    """Return the API key inside the text of a secret, or None where the text is no JSON object with that key."""
    try:
        parsed = json.loads(secret_string)
    except ValueError:
        return None
    found = parsed.get(json_key) if isinstance(parsed, dict) else None
    return found if isinstance(found, str) and found else None


def _source(request: Request) -> str:
    source = request.get("apiKeySecretSource", "MANAGED")
    if source == "MANAGED" and "apiKeySecretConfig" in request:
        raise _missing("apiKeySecretSource", "apiKeySecretConfig needs apiKeySecretSource EXTERNAL")
    if source == "EXTERNAL" and "apiKey" in request:
        raise _missing("apiKey", "apiKey must be absent when apiKeySecretSource is EXTERNAL")
    return str(source)


def _api_key(request: Request) -> str:
    if not request.get("apiKey"):
        raise _missing("apiKey", "apiKey is required when apiKeySecretSource is MANAGED")
    return str(request["apiKey"])


def _missing(member: str, message: str) -> Exception:
    return invalid(message, Violation(member, message))

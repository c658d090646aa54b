"""Keep the secrets of credential providers in Secrets Manager: in a secret of AgentCore's, or in one of the caller's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from embedded_aws import moto_state
from embedded_aws.agentcore.errors import Violation, invalid, not_found
from embedded_aws.agentcore.identity_records import StoredSecret
from embedded_aws.world import World


@dataclass(frozen=True)
class Members:
    """The names of the members that contain a secret or refer to one, and those of the secret that AgentCore manages."""

    text: str
    config: str
    source: str
    folder: str
    json_key: str


API_KEY = Members("apiKey", "apiKeySecretConfig", "apiKeySecretSource", folder="apikey", json_key="api_key_value")
CLIENT_SECRET = Members("clientSecret", "clientSecretConfig", "clientSecretSource", folder="oauth2", json_key="client_secret")


class ProviderSecrets:
    """Stores the secrets of one kind of provider."""

    def __init__(self, world: World, members: Members) -> None:
        self._world = world
        self._members = members

    def store(self, name: str, request: Mapping[str, Any]) -> StoredSecret:
        """Store the secret of a new provider, or refer to the caller's."""
        if self._source(request) == "EXTERNAL":
            return self._refer(request)
        text = json.dumps({self._members.json_key: self._text(request)})
        name = f"bedrock-agentcore-identity!default/{self._members.folder}/{name}"
        arn = moto_state.create_secret(self._world.account_id, self._world.region, name, text)
        return StoredSecret(arn, self._members.json_key, "MANAGED")

    def replace(self, name: str, before: StoredSecret, request: Mapping[str, Any]) -> StoredSecret:
        """Store the secret of an update: in the same managed secret, or in another one, without the managed one of before."""
        if before.source == "MANAGED" and self._source(request) == "MANAGED":
            text = json.dumps({before.json_key: self._text(request)})
            moto_state.update_secret(self._world.account_id, self._world.region, before.arn, text)
            return before
        after = self.store(name, request)
        self.drop(before)
        return after

    def drop(self, secret: StoredSecret) -> None:
        """Delete a secret that AgentCore manages; one of the caller's stays."""
        if secret.source == "MANAGED":
            moto_state.delete_secret(self._world.account_id, self._world.region, secret.arn)

    def _refer(self, request: Mapping[str, Any]) -> StoredSecret:
        members = self._members
        reference = request.get(members.config)
        if reference is None:
            raise _missing(members.config, f"{members.config} is required when {members.source} is EXTERNAL")
        arn = moto_state.secret_arn(self._world.account_id, self._world.region, reference["secretId"])
        text = self._world.secret(arn) if arn else None
        if arn is None or text is None:
            raise not_found(f"Secrets Manager can't find the secret: {reference['secretId']}")
        if key_in(text, reference["jsonKey"]) is None:
            raise _missing(f"{members.config}.jsonKey", "The secret's JSON has no text under this key")
        return StoredSecret(arn, reference["jsonKey"], "EXTERNAL")

    def _source(self, request: Mapping[str, Any]) -> str:
        members = self._members
        source = request.get(members.source, "MANAGED")
        if source == "MANAGED" and members.config in request:
            raise _missing(members.source, f"{members.config} needs {members.source} EXTERNAL")
        if source == "EXTERNAL" and members.text in request:
            raise _missing(members.text, f"{members.text} must be absent when {members.source} is EXTERNAL")
        return str(source)

    def _text(self, request: Mapping[str, Any]) -> str:
        if not request.get(self._members.text):
            raise _missing(self._members.text, f"{self._members.text} is required when {self._members.source} is MANAGED")
        return str(request[self._members.text])


def key_in(secret_string: str, json_key: str) -> str | None:
    """Return the text under a key of a secret, or None where the secret is no JSON object with that key."""
    try:
        parsed = json.loads(secret_string)
    except ValueError:
        return None
    found = parsed.get(json_key) if isinstance(parsed, dict) else None
    return found if isinstance(found, str) and found else None


def _missing(member: str, message: str) -> Exception:
    return invalid(message, Violation(member, message))

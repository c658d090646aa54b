"""AWS::SecretsManager::Secret"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.later import Later, LaterText, Ref, Text, require_known, text
from sre_agent_deploy.resource import (
    STATE_TAG,
    TTL_TAG,
    VERSION_TAG,
    CfnResource,
    Found,
    Mark,
    Steps,
    cfn,
    tags_of,
)
from sre_agent_deploy.resources.secretsmanager_calls import (
    InSecretsManager,
    create_secret,
    current_version,
    describe_secret,
    forget_pending,
    forget_previous,
    is_scheduled,
    put_values,
    read_access,
    read_values,
    restore_access,
    restore_values,
    restore_version,
    set_tag,
)
from sre_core import clock
from sre_core.secret import Secret

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_LENGTH = 48
AS_GENERATED = "as generated"
CLIENT_ID, CLIENT_SECRET = "client_id", "client_secret"


@dataclass(frozen=True, kw_only=True)
class GeneratedSecret(InSecretsManager):
    """A random value that is generated once and that no person needs to know; programs read it by its ARN.

    With a `ttl` its tag also says how long the deployment is needed; a sweep reads it. With a `state_location` another tag says
    where the deployment's state is; a cleanup without that state finds its lock there.
    """

    EXEMPT: ClassVar[Mapping[str, str]] = {**InSecretsManager.EXEMPT, "value": "it is generated; a plan shows that it was changed"}
    LOSES: ClassVar[str] = "data"

    name: str
    secret_name: str
    json_key: str
    description: str
    ttl: str = ""
    state_location: str = ""
    value: str = AS_GENERATED
    """Write-only: the tag `sre-agent:version` has the version of the value that was generated."""
    policy: str = ""
    kms_key: str = ""
    rotates: bool = False

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        found = describe_secret(aws, id)
        if found is None:
            return None
        json_key, value = next(iter(read_values(aws, id).items()), ("", Secret("")))
        tags = tags_of(found.get("Tags"))
        description, ttl = found.get("Description", ""), tags.get(TTL_TAG, "")
        description += " (scheduled for deletion)" if is_scheduled(found) else ""
        location = tags.get(STATE_TAG, "")
        version = current_version(found)
        seen = cls(
            name=name,
            secret_name=found["Name"],
            json_key=json_key,
            description=description,
            ttl=ttl,
            state_location=location,
            value=AS_GENERATED if version == tags.get(VERSION_TAG) else f"changed outside of this tool (version {version})",
            **read_access(aws, id, found),
        )
        outputs = {"secret_arn": found["ARN"], "value": value, "created_at": clock.stamp(found["CreatedDate"]), "ttl": ttl}
        return Found(id, seen, outputs, tags)

    def create(self, aws: Aws, mark: Mark) -> str:
        # The token becomes the id of the first version.
        tagged = replace(mark, extra={**mark.extra, **self._kept_tags(), VERSION_TAG: mark.token})
        return create_secret(aws, tagged, self.secret_name, self.description, {self.json_key: _generate()})

    def configure(self, aws: Aws, id: str) -> None:
        restore_access(aws, id)
        restore_version(aws, id)
        # A value that programs use already is kept: another one would lock them out.
        kept = restore_values(aws, id)
        value = kept.get(self.json_key) or next(iter(kept.values()), None) or _generate()
        if put_values(aws, id, {self.json_key: value}, description=self.description):
            forget_previous(aws, id)
        set_tag(aws, id, TTL_TAG, self.ttl)
        set_tag(aws, id, STATE_TAG, self.state_location)
        set_tag(aws, id, VERSION_TAG, current_version(describe_secret(aws, id) or {}))

    def _kept_tags(self) -> dict[str, str]:
        """Return the tags that `configure` keeps right."""
        return {tag: value for tag, value in ((TTL_TAG, self.ttl), (STATE_TAG, self.state_location)) if value}

    def console(self) -> Steps:
        return (
            "Secrets Manager > Store a new secret > Other type of secret",
            f"Key/value pairs: key {self.json_key}; value: the output of `openssl rand -hex {_LENGTH // 2}`",
            f"Secret name: {self.secret_name}",
            f"Description: {self.description}",
            *(f"Tags > Add: {tag} = {value}" for tag, value in self._kept_tags().items()),
            "Configure rotation: leave off",
            f"Store; then Versions > note the Version ID of AWSCURRENT, and Tags > Add: {VERSION_TAG} = this Version ID",
        )

    def template(self) -> CfnResource:
        generate = {
            "SecretStringTemplate": "{}",
            "GenerateStringKey": self.json_key,
            "PasswordLength": _LENGTH,
            "ExcludePunctuation": True,
        }
        tags = tuple({"Key": tag, "Value": value} for tag, value in self._kept_tags().items())
        return cfn(
            self.KIND, {"secret_arn": "Ref"}, Name=self.secret_name, Description=self.description, GenerateSecretString=generate, Tags=tags
        )


@dataclass(frozen=True, kw_only=True)
class StoredSecret(InSecretsManager):
    """Values that AWS or the user chose, kept together as one JSON object."""

    LISTS_KIND: ClassVar[bool] = False
    # The values are there to be sent again: a second create call with the same token answers the first.
    TOKEN: ClassVar[bool] = True

    name: str
    secret_name: str
    values: tuple[tuple[str, Later[Secret] | LaterText], ...]
    policy: str = ""
    kms_key: str = ""
    rotates: bool = False

    def __post_init__(self) -> None:
        # What is known is a Secret from here on, so that neither a plan nor a log shows it.
        pairs = ((key, Secret(value) if isinstance(value, str) else value) for key, value in self.values)
        object.__setattr__(self, "values", tuple(sorted(pairs, key=lambda pair: pair[0])))

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        found = describe_secret(aws, id)
        if found is None:
            return None
        values = tuple(read_values(aws, id).items())
        seen = cls(name=name, secret_name=found["Name"], values=values, **read_access(aws, id, found))
        return Found(id, seen, {"secret_arn": found["ARN"]}, tags_of(found.get("Tags")))

    def create(self, aws: Aws, mark: Mark) -> str:
        return create_secret(aws, mark, self.secret_name, "", self._known_values())

    def configure(self, aws: Aws, id: str) -> None:
        restore_access(aws, id)
        put_values(aws, id, self._known_values(), description="")

    def console(self) -> Steps:
        pairs = (f"Key/value pairs: key {key}; value: {_origin(value)}" for key, value in self.values)
        return (
            "Secrets Manager > Store a new secret > Other type of secret",
            *pairs,
            f"Secret name: {self.secret_name}",
            "Configure rotation: leave off",
        )

    def template(self) -> CfnResource:
        if any(isinstance(value, Secret) for _, value in self.values):
            keys = ", ".join(key for key, _ in self.values)
            note = f"A template must not hold the values; after creation put them into {self.secret_name} under the keys {keys}."
            return CfnResource(self.KIND, {"Name": self.secret_name}, {"secret_arn": "Ref"}, note=note)
        return cfn(self.KIND, {"secret_arn": "Ref"}, Name=self.secret_name, SecretString=json_text(self.values))

    def _known_values(self) -> dict[str, Secret]:
        return {key: value if isinstance(value, Secret) else Secret(require_known(value)) for key, value in self.values}


@dataclass(frozen=True, kw_only=True)
class ClientSecret(InSecretsManager):
    """The id and secret by which one program gets tokens; it reads them by their ARN.

    Cognito shows a client's secret until a second one is added. From then on what is stored is right, and stays.
    """

    LISTS_KIND: ClassVar[bool] = False
    # The values are there to be sent again: a second create call with the same token answers the first.
    TOKEN: ClassVar[bool] = True
    EXEMPT: ClassVar[Mapping[str, str]] = {**InSecretsManager.EXEMPT, "client_secret": "neither guide nor template may hold it"}
    PROTECTIONS: ClassVar[Mapping[str, str]] = {
        **InSecretsManager.PROTECTIONS,
        "client_secret": "the client's secret was rotated, and Cognito does not show it again",
    }

    name: str
    secret_name: str
    client_id: Later[str]
    client_secret: Later[Secret]
    policy: str = ""
    kms_key: str = ""
    rotates: bool = False

    def __post_init__(self) -> None:
        # What is known is a Secret from here on, so that neither a plan nor a log shows it.
        if isinstance(self.client_secret, str):
            object.__setattr__(self, "client_secret", Secret(self.client_secret))

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        found = describe_secret(aws, id)
        if found is None:
            return None
        values = read_values(aws, id)
        client_id, secret = values.get(CLIENT_ID, Secret("")), values.get(CLIENT_SECRET, Secret(""))
        seen = cls(name=name, secret_name=found["Name"], client_id=client_id.reveal(), client_secret=secret, **read_access(aws, id, found))
        return Found(id, seen, {"secret_arn": found["ARN"], CLIENT_SECRET: secret}, tags_of(found.get("Tags")))

    def create(self, aws: Aws, mark: Mark) -> str:
        return create_secret(aws, mark, self.secret_name, "", self._values(self._known_secret()))

    def configure(self, aws: Aws, id: str) -> None:
        restore_access(aws, id)
        kept = restore_values(aws, id)
        wanted = self._values(self._known_secret() or kept.get(CLIENT_SECRET, Secret("")))
        if kept.get(CLIENT_ID) != wanted[CLIENT_ID]:
            # A rotation that has begun is of a client that is gone.
            forget_pending(aws, id)
        if put_values(aws, id, wanted, description=""):
            forget_previous(aws, id)

    def console(self) -> Steps:
        secret = "the one you were given (it is not shown here)" if isinstance(self.client_secret, Secret) else self.client_secret
        return (
            "Secrets Manager > Store a new secret > Other type of secret",
            f"Key/value pairs: key {CLIENT_ID}; value: {self.client_id}",
            f"Key/value pairs: key {CLIENT_SECRET}; value: {secret}",
            f"Secret name: {self.secret_name}",
            "Configure rotation: leave off",
        )

    def template(self) -> CfnResource:
        if isinstance(self.client_secret, Secret):
            note = f"A template must not hold the secret; after creation put it into {self.secret_name} under the key {CLIENT_SECRET}."
            known = text('{"' + CLIENT_ID + '": "{id}"}', id=self.client_id)
            return CfnResource(self.KIND, {"Name": self.secret_name, "SecretString": known}, {"secret_arn": "Ref"}, note=note)
        values = ((CLIENT_ID, self.client_id), (CLIENT_SECRET, self.client_secret))
        return cfn(self.KIND, {"secret_arn": "Ref"}, Name=self.secret_name, SecretString=json_text(values))

    def _values(self, secret: Secret) -> dict[str, Secret]:
        return {CLIENT_ID: Secret(require_known(self.client_id)), CLIENT_SECRET: secret}

    def _known_secret(self) -> Secret:
        if isinstance(self.client_secret, Secret):
            return self.client_secret
        raise TypeError(f"{self.client_secret} is not known yet")


def _generate() -> Secret:
    return Secret(secrets.token_hex(_LENGTH // 2))


def _origin(value: Any) -> str:
    return "the one you were given (it is not shown here)" if isinstance(value, Secret) else str(value)


def json_text(values: tuple[tuple[str, Any], ...]) -> Text:
    """Return the JSON object as text with its Refs inside, for a template to join."""
    parts: list[str | Ref] = ["{"]
    for index, (key, value) in enumerate(values):
        parts.append(f'{", " if index else ""}{json.dumps(key)}: "')
        parts.extend(value.parts if isinstance(value, Text) else (value,))
        parts.append('"')
    return Text((*parts, "}"))

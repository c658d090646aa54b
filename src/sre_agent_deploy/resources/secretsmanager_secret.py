"""AWS::SecretsManager::Secret"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.later import Later, LaterText, Ref, Text, known
from sre_agent_deploy.resource import TTL_TAG, CfnResource, Defaults, Failures, Found, Mark, Owned, Steps, Waiting, cfn
from sre_agent_deploy.resources import secret_calls
from sre_agent_deploy.resources.secret_calls import KIND
from sre_core import clock
from sre_core.problem import Problem
from sre_core.secret import Secret

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_LENGTH = 48


@dataclass(frozen=True, kw_only=True)
class GeneratedSecret(Defaults):
    """A random value that is made once and that nobody needs to know; programs read it by its ARN.

    With a `ttl` it also tells whoever sweeps how long its deployment is needed.
    """

    KIND: ClassVar[str] = KIND
    HELD: ClassVar[frozenset[tuple[str, str]]] = secret_calls.HELD
    UNIQUE: ClassVar[bool] = True
    FIXED: ClassVar[frozenset[str]] = frozenset({"secret_name"})
    LOSES: ClassVar[str] = "data"

    name: str
    secret_name: str
    json_key: str
    description: str
    ttl: str = ""

    def natural_id(self, aws: Aws) -> str:
        return self.secret_name

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        return secret_calls.owned(aws, deployment)

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        found = secret_calls.described(aws, id)
        if found is None:
            return None
        json_key, value = next(iter(secret_calls.values(aws, id).items()), ("", Secret("")))
        tags = secret_calls.tags(found)
        description, ttl = found.get("Description", ""), tags.get(TTL_TAG, "")
        description += " (scheduled for deletion)" if secret_calls.is_scheduled(found) else ""
        seen = cls(name=name, secret_name=found["Name"], json_key=json_key, description=description, ttl=ttl)
        outputs = {"secret_arn": found["ARN"], "value": value, "created_at": clock.stamp(found["CreatedDate"]), "ttl": ttl}
        return Found(id, seen, outputs, tags)

    def create(self, aws: Aws, mark: Mark) -> str:
        told = replace(mark, extra={**mark.extra, TTL_TAG: self.ttl}) if self.ttl else mark
        return secret_calls.create(aws, told, self.secret_name, self.description, {self.json_key: _generated()})

    def configure(self, aws: Aws, id: str) -> None:
        # A value that programs use already is kept: another one would lock them out.
        kept = secret_calls.restored(aws, id)
        value = kept.get(self.json_key) or next(iter(kept.values()), None) or _generated()
        secret_calls.put(aws, id, {self.json_key: value}, description=self.description)
        secret_calls.tell(aws, id, TTL_TAG, self.ttl)

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        secret_calls.delete(aws, id)

    @classmethod
    def held(cls, aws: Aws, id: str, code: str) -> Waiting | Problem | None:
        return secret_calls.held(aws, id)

    def console(self) -> Steps:
        return (
            "Secrets Manager > Store a new secret > Other type of secret",
            f"Key/value pairs: key {self.json_key}; value: the output of `openssl rand -hex {_LENGTH // 2}`",
            f"Secret name: {self.secret_name}",
            f"Description: {self.description}",
            *((f"Tags > Add: {TTL_TAG} = {self.ttl}",) if self.ttl else ()),
            "Configure rotation: leave off",
        )

    def template(self) -> CfnResource:
        generate = {
            "SecretStringTemplate": "{}",
            "GenerateStringKey": self.json_key,
            "PasswordLength": _LENGTH,
            "ExcludePunctuation": True,
        }
        tags = ({"Key": TTL_TAG, "Value": self.ttl},) if self.ttl else ()
        return cfn(
            KIND, {"secret_arn": "Ref"}, Name=self.secret_name, Description=self.description, GenerateSecretString=generate, Tags=tags
        )

    FAILURES: ClassVar[Failures] = secret_calls.FAILURES


@dataclass(frozen=True, kw_only=True)
class StoredSecret(Defaults):
    """Values that AWS or the user chose, kept together as one JSON object."""

    KIND: ClassVar[str] = KIND
    LISTS_KIND: ClassVar[bool] = False
    HELD: ClassVar[frozenset[tuple[str, str]]] = secret_calls.HELD
    UNIQUE: ClassVar[bool] = True
    FIXED: ClassVar[frozenset[str]] = frozenset({"secret_name"})
    # The values are there to be sent again: a second birth with the same token answers the first.
    TOKEN: ClassVar[bool] = True

    name: str
    secret_name: str
    values: tuple[tuple[str, Later[Secret] | LaterText], ...]

    def __post_init__(self) -> None:
        # What is known is a Secret from here on, so that neither a plan nor a log shows it.
        pairs = ((key, Secret(value) if isinstance(value, str) else value) for key, value in self.values)
        object.__setattr__(self, "values", tuple(sorted(pairs, key=lambda pair: pair[0])))

    def natural_id(self, aws: Aws) -> str:
        return self.secret_name

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        return secret_calls.owned(aws, deployment)

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        found = secret_calls.described(aws, id)
        if found is None:
            return None
        seen = cls(name=name, secret_name=found["Name"], values=tuple(secret_calls.values(aws, id).items()))
        return Found(id, seen, {"secret_arn": found["ARN"]}, secret_calls.tags(found))

    def create(self, aws: Aws, mark: Mark) -> str:
        return secret_calls.create(aws, mark, self.secret_name, "", self._known())

    def configure(self, aws: Aws, id: str) -> None:
        secret_calls.put(aws, id, self._known(), description="")

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        secret_calls.delete(aws, id)

    @classmethod
    def held(cls, aws: Aws, id: str, code: str) -> Waiting | Problem | None:
        return secret_calls.held(aws, id)

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
            return CfnResource(KIND, {"Name": self.secret_name}, {"secret_arn": "Ref"}, note=note)
        return cfn(KIND, {"secret_arn": "Ref"}, Name=self.secret_name, SecretString=_json_text(self.values))

    def _known(self) -> dict[str, Secret]:
        return {key: value if isinstance(value, Secret) else Secret(known(value)) for key, value in self.values}

    FAILURES: ClassVar[Failures] = secret_calls.FAILURES


def _generated() -> Secret:
    return Secret(secrets.token_hex(_LENGTH // 2))


def _origin(value: Any) -> str:
    return "the one you were given (it is not shown here)" if isinstance(value, Secret) else str(value)


def _json_text(values: tuple[tuple[str, Any], ...]) -> Text:
    """The JSON object as text with its Refs inside, for a template to join."""
    parts: list[str | Ref] = ["{"]
    for index, (key, value) in enumerate(values):
        parts.append(f'{", " if index else ""}{json.dumps(key)}: "')
        parts.extend(value.parts if isinstance(value, Text) else (value,))
        parts.append('"')
    return Text((*parts, "}"))

"""AWS::SecretsManager::Secret"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.later import Later, LaterText, Ref, Text, require_known
from sre_agent_deploy.resource import (
    DEPLOYMENT_TAG,
    STATE_TAG,
    TTL_TAG,
    VERSION_TAG,
    CfnResource,
    Defaults,
    Failures,
    Found,
    Mark,
    Owned,
    Steps,
    TagChanges,
    Waiting,
    cfn,
    tags_of,
)
from sre_agent_deploy.resources.secretsmanager_calls import (
    create_secret,
    current_version,
    describe_secret,
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
from sre_core.problem import Problem
from sre_core.secret import Secret

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

KIND = "AWS::SecretsManager::Secret"
_LENGTH = 48
AS_GENERATED = "as generated"


class InSecretsManager(Defaults):
    """The calls of every secret, and how they fail. Subclasses choose the value."""

    KIND: ClassVar[str] = KIND
    UNIQUE: ClassVar[bool] = True
    FIXED: ClassVar[frozenset[str]] = frozenset({"secret_name"})
    MOST_TAGS: ClassVar[int] = 50
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"secret_name"})
    EXEMPT: ClassVar[Mapping[str, str]] = {
        "policy": "a new secret has none; one that was added by hand is deleted",
        "rotates": "a new secret has no rotation; one that was set by hand is cancelled",
        "kms_key": "a new secret has AWS's key; another one that was chosen by hand is shown by a plan",
    }
    PROTECTIONS: ClassVar[Mapping[str, str]] = {"kms_key": "its KMS key, which was chosen by hand, stays"}
    BLOCKERS: ClassVar[frozenset[tuple[str, str]]] = frozenset({("CreateSecret", "InvalidRequestException")})

    secret_name: str

    def natural_id(self, aws: Aws) -> str:
        return self.secret_name

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        # Those scheduled for deletion, too: their names begin with its id, and they carry its tag.
        filters: Any = [{"Key": "name", "Values": [f"{deployment}/"]}]
        pages = aws.client("secretsmanager").get_paginator("list_secrets").paginate(Filters=filters, IncludePlannedDeletion=True)
        listed = [(secret, tags_of(secret.get("Tags"))) for page in pages for secret in page["SecretList"]]
        ours = [(secret, tags) for secret, tags in listed if tags.get(DEPLOYMENT_TAG) == deployment]
        return tuple(Owned.tagged(secret["Name"], tags, secret.get("CreatedDate")) for secret, tags in ours)

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        if changes.set:
            aws.client("secretsmanager").tag_resource(SecretId=id, Tags=changes.tag_list())
        if changes.remove:
            aws.client("secretsmanager").untag_resource(SecretId=id, TagKeys=changes.remove)

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        # With a recovery window the name would stay taken for days.
        aws.client("secretsmanager").delete_secret(SecretId=id, ForceDeleteWithoutRecovery=True)

    @classmethod
    def blockers(cls, aws: Aws, id: str, code: str) -> Waiting | Problem | None:
        # A secret that was deleted for good keeps its name for a moment longer than it is shown.
        return None if describe_secret(aws, id) else Waiting(f"Secrets Manager to free the name {id}, which was deleted")

    FAILURES: ClassVar[Failures] = (
        {
            ("CreateSecret", "ResourceExistsException"): lambda secret: Problem(
                code="SECRET-NAME-TAKEN",
                what=f"Secret {secret.secret_name} was not created.",
                why="This account has a secret of that name in this region already.",
                do=(
                    "Set another `name:` for this deployment, or delete that secret if it is a leftover "
                    f"(aws secretsmanager delete-secret --secret-id {secret.secret_name} --force-delete-without-recovery).",
                    "Run the same command again.",
                ),
            ),
            ("CreateSecret", "InvalidRequestException"): lambda secret: Problem(
                code="SECRET-BEING-DELETED",
                what=f"Secret {secret.secret_name} was not created.",
                why="A secret of that name is scheduled for deletion, and keeps the name until then.",
                do=(
                    "If it was deleted a moment ago, wait a minute and run the same command again.",
                    f"Otherwise restore it: `aws secretsmanager restore-secret --secret-id {secret.secret_name}`.",
                    "Then delete it at once: "
                    f"`aws secretsmanager delete-secret --secret-id {secret.secret_name} --force-delete-without-recovery`.",
                    "Run the same command again.",
                ),
            ),
            ("CreateSecret", "LimitExceededException"): lambda secret: Problem(
                code="SECRET-QUOTA",
                what=f"Secret {secret.secret_name} was not created.",
                why="This region has as many secrets as its quota allows.",
                do=("Delete unused secrets (Secrets Manager > Secrets).", "Run the same command again."),
            ),
            ("GetSecretValue", "DecryptionFailure"): lambda secret: Problem(
                code="SECRET-NOT-DECRYPTED",
                what=f"The value of secret {secret.secret_name} could not be read.",
                why="The KMS key that encrypts it is disabled, or its policy does not allow this identity to use it.",
                do=(
                    "Allow kms:Decrypt on that key for the identity you deploy with (KMS > Customer managed keys).",
                    "Run the same command again.",
                ),
            ),
        }
        | {
            (operation, "InvalidRequestException"): lambda secret: Problem(
                code="SECRET-BEING-DELETED",
                what=f"Secret {secret.secret_name} can't be used.",
                why="It was scheduled for deletion after this run had read it.",
                do=(
                    f"Cancel the deletion (aws secretsmanager restore-secret --secret-id {secret.secret_name}).",
                    "Run the same command again; it continues.",
                ),
            )
            for operation in ("GetSecretValue", "PutSecretValue", "UpdateSecret")
        }
        | {
            (operation, code): lambda secret: Problem(
                code="SECRET-NOT-ENCRYPTED",
                what=f"Secret {secret.secret_name} was not stored.",
                why="KMS did not let Secrets Manager use its key: it is disabled or being deleted, or its policy refuses this identity.",
                do=(
                    "Allow kms:GenerateDataKey and kms:Decrypt on the key for the identity you deploy with (KMS > Customer managed keys).",
                    "Run the same command again; it continues.",
                ),
                aws_docs="https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html",
            )
            for operation in ("CreateSecret", "PutSecretValue", "UpdateSecret")
            for code in ("EncryptionFailure", "DecryptionFailure")
        }
    )


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
            KIND, {"secret_arn": "Ref"}, Name=self.secret_name, Description=self.description, GenerateSecretString=generate, Tags=tags
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
            return CfnResource(KIND, {"Name": self.secret_name}, {"secret_arn": "Ref"}, note=note)
        return cfn(KIND, {"secret_arn": "Ref"}, Name=self.secret_name, SecretString=json_text(self.values))

    def _known_values(self) -> dict[str, Secret]:
        return {key: value if isinstance(value, Secret) else Secret(require_known(value)) for key, value in self.values}


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

"""What every secret in Secrets Manager has in common, whoever chose its value: the calls, and how they fail."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.resource import DEPLOYMENT_TAG, Failures, Mark, Owned, Waiting
from sre_agent_deploy.resources import tag_list
from sre_core.problem import Problem
from sre_core.secret import Secret

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

KIND = "AWS::SecretsManager::Secret"
_GONE = ("ResourceNotFoundException",)


def owned(aws: Aws, deployment: str) -> tuple[Owned, ...]:
    """The deployment's secrets, also those scheduled for deletion: their names begin with its id, and they carry its tag."""
    filters: Any = [{"Key": "name", "Values": [f"{deployment}/"]}]
    pages = aws.client("secretsmanager").get_paginator("list_secrets").paginate(Filters=filters, IncludePlannedDeletion=True)
    listed = [(secret, tags(secret)) for page in pages for secret in page["SecretList"]]
    ours = [(secret, tagged) for secret, tagged in listed if tagged.get(DEPLOYMENT_TAG) == deployment]
    return tuple(Owned.tagged(secret["Name"], tagged, secret.get("CreatedDate")) for secret, tagged in ours)


def described(aws: Aws, name: str) -> Any:
    """The secret without its value, or None where it is absent."""
    return or_none(lambda: aws.client("secretsmanager").describe_secret(SecretId=name), _GONE)


def is_scheduled(found: Any) -> bool:
    """Whether it is to be deleted when its recovery window ends. Until then it keeps its name, and its value for whoever restores it."""
    return bool(found.get("DeletedDate"))


def tags(found: Any) -> dict[str, str]:
    return tag_list.as_dict(found.get("Tags"))


def values(aws: Aws, name: str) -> dict[str, Secret]:
    """The values of the secret's JSON object; a secret without a value, with another kind of text, or scheduled for deletion has none."""
    answer = or_none(lambda: aws.client("secretsmanager").get_secret_value(SecretId=name), (*_GONE, "InvalidRequestException"))
    try:
        parts = json.loads(answer.get("SecretString", "") if answer else "")
    except ValueError:
        return {}
    return {key: Secret(str(value)) for key, value in parts.items()} if isinstance(parts, dict) else {}


def restored(aws: Aws, name: str) -> dict[str, Secret]:
    """The values of a secret that is to be used again: somebody may have scheduled it for deletion meanwhile."""
    if is_scheduled(described(aws, name) or {}):
        aws.client("secretsmanager").restore_secret(SecretId=name)
    return values(aws, name)


def create(aws: Aws, mark: Mark, name: str, description: str, parts: Mapping[str, Secret]) -> str:
    """The birth. The name is the id: it is unique, and asking for it shows a secret that lists may still hide."""
    said: Any = {"Description": description} if description else {}
    made = aws.client("secretsmanager").create_secret(
        Name=name, SecretString=_text(parts), ClientRequestToken=mark.token, Tags=mark.tag_list(), **said
    )
    return made["Name"]


def put(aws: Aws, name: str, parts: Mapping[str, Secret], *, description: str) -> None:
    """Make the value and the description these; a new version of the value only where it differs."""
    if restored(aws, name) != dict(parts):
        aws.client("secretsmanager").put_secret_value(SecretId=name, SecretString=_text(parts))
    if description and described(aws, name).get("Description", "") != description:
        aws.client("secretsmanager").update_secret(SecretId=name, Description=description)


def tell(aws: Aws, name: str, tag: str, value: str) -> None:
    """Give the secret this tag, or none where the value is empty; its other tags stay."""
    seen = tags(described(aws, name) or {}).get(tag, "")
    if value and value != seen:
        aws.client("secretsmanager").tag_resource(SecretId=name, Tags=[{"Key": tag, "Value": value}])
    if seen and not value:
        aws.client("secretsmanager").untag_resource(SecretId=name, TagKeys=[tag])


def delete(aws: Aws, name: str) -> None:
    # With a recovery window the name would stay taken for days.
    aws.client("secretsmanager").delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


def held(aws: Aws, name: str) -> Waiting | None:
    """A secret that was deleted for good keeps its name for a moment longer than it is shown."""
    return None if described(aws, name) else Waiting(f"Secrets Manager to free the name {name}, which was deleted")


HELD = frozenset({("CreateSecret", "InvalidRequestException")})


def _text(parts: Mapping[str, Secret]) -> str:
    return json.dumps({key: value.reveal() for key, value in parts.items()})


FAILURES: Failures = (
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
                f"Wait a minute if it was just deleted; else run: aws secretsmanager restore-secret --secret-id {secret.secret_name}, "
                "and delete it with --force-delete-without-recovery.",
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
            why="It is scheduled for deletion; somebody did that after this run had looked at it.",
            do=(
                f"Take that back (aws secretsmanager restore-secret --secret-id {secret.secret_name}).",
                "Run the same command again; it continues.",
            ),
        )
        for operation in ("GetSecretValue", "PutSecretValue", "UpdateSecret")
    }
    | {
        (operation, code): lambda secret: Problem(
            code="SECRET-NOT-ENCRYPTED",
            what=f"Secret {secret.secret_name} was not stored.",
            why="KMS did not let Secrets Manager use its key: it is disabled or being deleted, or its policy leaves this identity out.",
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

"""The calls to Secrets Manager that its types share, how they fail, and how what was changed is put right."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.resource import DEPLOYMENT_TAG, VERSION_TAG, Defaults, Failures, Mark, Owned, TagChanges, Waiting, tags_of
from sre_core.problem import Problem
from sre_core.secret import Secret

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_GONE = ("ResourceNotFoundException",)


class InSecretsManager(Defaults):
    """The calls of every secret, and how they fail. Subclasses choose the value."""

    KIND: ClassVar[str] = "AWS::SecretsManager::Secret"
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


def describe_secret(aws: Aws, name: str) -> Any:
    """Read a secret without its value; None where it is absent."""
    return or_none(lambda: aws.client("secretsmanager").describe_secret(SecretId=name), _GONE)


def read_access(aws: Aws, name: str, found: Any) -> dict[str, Any]:
    """Read who else may use or change the secret: its own policy, a KMS key that is not AWS's, a rotation."""
    answer: Any = or_none(lambda: aws.client("secretsmanager").get_resource_policy(SecretId=name), (*_GONE, "InvalidRequestException"))
    rotates = found.get("RotationEnabled", False)
    return {"policy": (answer or {}).get("ResourcePolicy", ""), "kms_key": found.get("KmsKeyId", ""), "rotates": rotates}


def restore_access(aws: Aws, name: str) -> None:
    """Delete the secret's own policy, because the roles of the deployment say who may read it, and cancel a rotation."""
    seen = read_access(aws, name, describe_secret(aws, name) or {})
    if seen["policy"]:
        aws.client("secretsmanager").delete_resource_policy(SecretId=name)
    if seen["rotates"]:
        aws.client("secretsmanager").cancel_rotate_secret(SecretId=name)


def current_version(found: Any) -> str:
    """Return the id of the version that readers get; empty where there is none."""
    return next((version for version, stages in found.get("VersionIdsToStages", {}).items() if "AWSCURRENT" in stages), "")


def restore_version(aws: Aws, name: str) -> None:
    """Make the version current again that programs use, for as long as AWS keeps it."""
    found = describe_secret(aws, name) or {}
    kept, current, wanted = found.get("VersionIdsToStages", {}), current_version(found), tags_of(found.get("Tags")).get(VERSION_TAG, "")
    if wanted in kept and current and wanted != current:
        aws.client("secretsmanager").update_secret_version_stage(
            SecretId=name, VersionStage="AWSCURRENT", MoveToVersionId=wanted, RemoveFromVersionId=current
        )
        if "AWSPENDING" not in kept[wanted]:
            # No rotation has stopped here: what was current is a foreign value, and nothing may accept it.
            forget_previous(aws, name)


def read_values(aws: Aws, name: str, stage: str = "AWSCURRENT") -> dict[str, Secret]:
    """Read the values of the secret's JSON object; without a value, with another kind of text, or scheduled for deletion it has none."""
    answer = or_none(
        lambda: aws.client("secretsmanager").get_secret_value(SecretId=name, VersionStage=stage), (*_GONE, "InvalidRequestException")
    )
    try:
        parts = json.loads(answer.get("SecretString", "") if answer else "")
    except ValueError:
        return {}
    return {key: Secret(str(value)) for key, value in parts.items()} if isinstance(parts, dict) else {}


def create_secret(aws: Aws, mark: Mark, name: str, description: str, parts: Mapping[str, Secret]) -> str:
    """Create a secret and answer its name, which is its id: it is unique, and reading by it shows what lists may still hide."""
    described: Any = {"Description": description} if description else {}
    made = aws.client("secretsmanager").create_secret(
        Name=name, SecretString=_json(parts), ClientRequestToken=mark.token, Tags=mark.tag_list(), **described
    )
    return made["Name"]


def put_values(aws: Aws, name: str, parts: Mapping[str, Secret], *, description: str) -> bool:
    """Store these values and this description; a new version of the value only where it differs. Returns True if there is one."""
    differs = restore_values(aws, name) != dict(parts)
    if differs:
        aws.client("secretsmanager").put_secret_value(SecretId=name, SecretString=_json(parts))
    if description and describe_secret(aws, name).get("Description", "") != description:
        aws.client("secretsmanager").update_secret(SecretId=name, Description=description)
    return differs


def restore_values(aws: Aws, name: str) -> dict[str, Secret]:
    """Take back a deletion that was scheduled meanwhile, and read the values."""
    if is_scheduled(describe_secret(aws, name) or {}):
        aws.client("secretsmanager").restore_secret(SecretId=name)
    return read_values(aws, name)


def read_stages(aws: Aws, name: str) -> dict[str, str]:
    """Map each staging label of a secret to the id of the version that has it."""
    kept = (describe_secret(aws, name) or {}).get("VersionIdsToStages", {})
    return {stage: version for version, stages in kept.items() for stage in stages}


def has_pending(stages: Mapping[str, str]) -> bool:
    """Say if a version waits to become the current one (pure)."""
    return "AWSPENDING" in stages and stages["AWSPENDING"] != stages.get("AWSCURRENT")


def put_pending(aws: Aws, name: str, parts: Mapping[str, Secret]) -> None:
    """Store values that are not the current ones yet."""
    aws.client("secretsmanager").put_secret_value(SecretId=name, SecretString=_json(parts), VersionStages=["AWSPENDING"])


def promote_pending(aws: Aws, name: str) -> None:
    """Make the pending version the current one; the one before becomes AWSPREVIOUS."""
    stages = read_stages(aws, name)
    # The tag first: `deploy` would make the version current that the tag names.
    if VERSION_TAG in tags_of((describe_secret(aws, name) or {}).get("Tags")):
        set_tag(aws, name, VERSION_TAG, stages["AWSPENDING"])
    aws.client("secretsmanager").update_secret_version_stage(
        SecretId=name, VersionStage="AWSCURRENT", MoveToVersionId=stages["AWSPENDING"], RemoveFromVersionId=stages["AWSCURRENT"]
    )
    _forget_promoted(aws, name)


def forget_previous(aws: Aws, name: str) -> None:
    """Take the label AWSPREVIOUS away: AWS may delete that version then, and nothing accepts it any more."""
    # A run that was killed may have left it; and without AWSPREVIOUS no other run would come here.
    _forget_promoted(aws, name)
    _forget_stage(aws, name, "AWSPREVIOUS")


def forget_pending(aws: Aws, name: str) -> None:
    """Take the label AWSPENDING away: no rotation goes on with that version."""
    _forget_stage(aws, name, "AWSPENDING")


def _forget_promoted(aws: Aws, name: str) -> None:
    """Take the label AWSPENDING from the current version: once another one is current, it would look as if it were still to come."""
    if not has_pending(read_stages(aws, name)):
        _forget_stage(aws, name, "AWSPENDING")


def _forget_stage(aws: Aws, name: str, stage: str) -> None:
    version = read_stages(aws, name).get(stage)
    if version:
        aws.client("secretsmanager").update_secret_version_stage(SecretId=name, VersionStage=stage, RemoveFromVersionId=version)


def is_scheduled(found: Any) -> bool:
    """Return True while the secret waits to be deleted; until then it keeps its name, and its value for a restore."""
    return bool(found.get("DeletedDate"))


def set_tag(aws: Aws, name: str, tag: str, value: str) -> None:
    """Give the secret this tag, or none where the value is empty; its other tags stay."""
    seen = tags_of((describe_secret(aws, name) or {}).get("Tags")).get(tag, "")
    if value and value != seen:
        aws.client("secretsmanager").tag_resource(SecretId=name, Tags=[{"Key": tag, "Value": value}])
    if seen and not value:
        aws.client("secretsmanager").untag_resource(SecretId=name, TagKeys=[tag])


def _json(parts: Mapping[str, Secret]) -> str:
    return json.dumps({key: value.reveal() for key, value in parts.items()})

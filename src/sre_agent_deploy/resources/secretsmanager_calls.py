"""The calls to Secrets Manager that secrets share: read a secret and its values, and put right what was changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.resource import VERSION_TAG, Mark, tags_of
from sre_core.secret import Secret

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_GONE = ("ResourceNotFoundException",)


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

"""Delete the objects of a bucket with all their versions, and find what forbids that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from sre_agent_deploy.aws.attempt import raise_first_error
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

VERSIONS_REFUSED = ("DeleteObjects", "AccessDenied")
_LOOKED_AT = 100


def delete_versions(aws: Aws, bucket_name: str, prefix: str = "", *, only: Callable[[str], bool] = lambda key: True) -> None:
    """Delete the objects under `prefix` that `only` selects by key, with all their versions and delete markers.

    Deletes all that can be deleted, even if AWS refuses some.
    """

    def answers() -> Iterator[Any]:
        # List all pages first: each page is requested by the last version of the page before, which would be deleted by then.
        for page in [*_page_versions(aws, bucket_name, prefix)]:
            versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            to_delete: Any = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in versions if only(each["Key"])]
            if to_delete:
                yield aws.client("s3").delete_objects(Bucket=bucket_name, Delete={"Objects": to_delete, "Quiet": True})

    raise_first_error("DeleteObjects", answers())


def find_lock(aws: Aws, bucket_name: str, prefix: str = "") -> Problem | None:
    """Find what forbids deleting versions here: the bucket's MFA Delete, or the lock of an object. None if neither is found."""
    versioning = aws.client("s3").get_bucket_versioning(Bucket=bucket_name)
    if versioning.get("MFADelete") == "Enabled":
        return _mfa(bucket_name)
    if versioning.get("Status") != "Enabled":
        return None  # without versions there is no lock
    page: Any = next(iter(_page_versions(aws, bucket_name, prefix)), {})
    return next(filter(None, (_find_object_lock(aws, bucket_name, version) for version in page.get("Versions", [])[:_LOOKED_AT])), None)


def _page_versions(aws: Aws, bucket_name: str, prefix: str) -> Any:
    return aws.client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket_name, Prefix=prefix)


def _find_object_lock(aws: Aws, bucket_name: str, version: Any) -> Problem | None:
    key, version_id = version["Key"], version["VersionId"]
    # An object that was stored before the bucket kept versions has no version id.
    which: Any = {} if version_id == "null" else {"VersionId": version_id}
    head: Any = aws.client("s3").head_object(Bucket=bucket_name, Key=key, **which)
    named = f"--bucket {bucket_name} --key '{key}' --version-id {version_id}"
    if head.get("ObjectLockLegalHoldStatus") == "ON":
        return _locked(named, "A legal hold is on it", f"aws s3api put-object-legal-hold --legal-hold Status=OFF {named}")
    if "ObjectLockRetainUntilDate" not in head:
        return None
    why = f"Object Lock retains it until {head['ObjectLockRetainUntilDate']:%Y-%m-%d %H:%M} UTC ({head.get('ObjectLockMode')})"
    by_hand = f"aws s3api delete-object --bypass-governance-retention {named}"
    return _locked(named, why, "Wait until then." if head.get("ObjectLockMode") == "COMPLIANCE" else f"Wait until then, or: {by_hand}")


def _locked(named: str, why: str, first: str) -> Problem:
    return Problem(
        code="S3-OBJECT-LOCKED",
        what=f"A version of an object was not deleted ({named.replace('--', '')}), and so its bucket stays.",
        why=f"{why}: it was to be kept.",
        do=(first, "Then run the same command again."),
        aws_docs="https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html",
    )


def _mfa(bucket_name: str) -> Problem:
    return Problem(
        code="S3-MFA-DELETE",
        what=f"The versions in bucket {bucket_name} were not deleted.",
        why="MFA Delete is on: only the account's root user, with a code of its MFA device, may delete versions here.",
        do=(
            f"As root: aws s3api put-bucket-versioning --bucket {bucket_name} "
            "--versioning-configuration Status=Enabled,MFADelete=Disabled --mfa 'SERIAL CODE'",
            "Then run the same command again.",
        ),
        aws_docs="https://docs.aws.amazon.com/AmazonS3/latest/userguide/MultiFactorAuthenticationDelete.html",
    )

"""Every version of what a bucket holds: a deleted object lives on behind its delete marker where versions are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from sre_agent_deploy.aws.batch import all_done
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

REFUSED = ("DeleteObjects", "AccessDenied")
_LOOKED_AT = 100


def delete(aws: Aws, bucket_name: str, prefix: str = "", *, only: Callable[[str], bool] = lambda key: True) -> None:
    """Delete for good, with all versions and delete markers, what lies under `prefix` and has one of the keys that are meant.

    What can be deleted is, also where something else is refused.
    """

    def answers() -> Iterator[Any]:
        # All pages first: the next one is asked for by the last version of this one, which would be gone.
        for page in [*_pages(aws, bucket_name, prefix)]:
            versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            doomed: Any = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in versions if only(each["Key"])]
            if doomed:
                yield aws.client("s3").delete_objects(Bucket=bucket_name, Delete={"Objects": doomed, "Quiet": True})

    all_done("DeleteObjects", answers())


def kept_by(aws: Aws, bucket_name: str, prefix: str = "") -> Problem | None:
    """What forbids deleting versions here, where it can be told: the bucket's MFA Delete, or the lock of an object."""
    versioning = aws.client("s3").get_bucket_versioning(Bucket=bucket_name)
    if versioning.get("MFADelete") == "Enabled":
        return _mfa(bucket_name)
    if versioning.get("Status") != "Enabled":
        return None  # without versions there is no lock
    page: Any = next(iter(_pages(aws, bucket_name, prefix)), {})
    return next(filter(None, (_lock(aws, bucket_name, version) for version in page.get("Versions", [])[:_LOOKED_AT])), None)


def _pages(aws: Aws, bucket_name: str, prefix: str) -> Any:
    return aws.client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket_name, Prefix=prefix)


def _lock(aws: Aws, bucket_name: str, version: Any) -> Problem | None:
    key, version_id = version["Key"], version["VersionId"]
    # What was stored before the bucket kept versions has none to be asked for.
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
        why=f"{why}: somebody wanted it kept.",
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

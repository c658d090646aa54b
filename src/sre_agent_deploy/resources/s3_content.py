"""The objects of a bucket: read for a backup and put back from one, and deleted with all their versions, or what forbids that.

For a backup only the current version of an object counts.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlencode

from sre_agent_deploy.aws.attempt import or_none, raise_first_error
from sre_agent_deploy.resource import tags_of
from sre_core import clock
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

LARGEST = 5 * 1024**3
"""Bytes that one PutObject takes."""
VERSIONS_REFUSED = ("DeleteObjects", "AccessDenied")
_GONE = ("404", "NoSuchKey", "NoSuchBucket")
_CHUNK = 1024 * 1024
_LOOKED_AT = 100


@dataclass(frozen=True, kw_only=True)
class StoredObject:
    """One object, as S3 showed it; `part` is its place in a backup."""

    key: str
    size: int
    etag: str
    modified: str
    sha256: str = ""
    part: str = ""
    content_type: str = ""
    storage_class: str = "STANDARD"
    metadata: Mapping[str, str]
    tags: Mapping[str, str]


def list_keys(aws: Aws, bucket: str, prefix: str = "") -> tuple[tuple[str, int], ...]:
    """List the keys below a prefix, each with its size; none where the bucket is gone."""
    pages: Any = aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return or_none(lambda: tuple((entry["Key"], entry["Size"]) for page in pages for entry in page.get("Contents", [])), _GONE) or ()


def read_object(aws: Aws, bucket: str, key: str) -> StoredObject | None:
    """Read what S3 shows of an object without its content; None where it is absent."""
    answer: Any = or_none(lambda: aws.client("s3").head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED"), _GONE)
    return _describe(aws, bucket, key, answer) if answer else None


def download(aws: Aws, bucket: str, key: str, to: IO[bytes]) -> StoredObject | None:
    """Write the content of an object to a file, from its beginning; None where it was deleted meanwhile."""
    answer: Any = or_none(lambda: aws.client("s3").get_object(Bucket=bucket, Key=key), _GONE)
    if answer is None:
        return None
    to.seek(0)
    to.truncate()
    for chunk in answer["Body"].iter_chunks(_CHUNK):
        to.write(chunk)
    return _describe(aws, bucket, key, answer)


def _describe(aws: Aws, bucket: str, key: str, answer: Any) -> StoredObject:
    tags = or_none(lambda: aws.client("s3").get_object_tagging(Bucket=bucket, Key=key), _GONE)
    return StoredObject(
        key=key,
        size=answer["ContentLength"],
        etag=answer["ETag"].strip('"'),
        modified=clock.stamp(answer["LastModified"]),
        sha256=read_sha256(answer),
        content_type=answer.get("ContentType", ""),
        storage_class=answer.get("StorageClass", "STANDARD"),
        metadata=dict(answer.get("Metadata", {})),
        tags=tags_of(tags["TagSet"] if tags else None),
    )


def read_sha256(answer: Any) -> str:
    """Read the SHA-256 that S3 has computed of the content; empty for an object that was stored without one."""
    try:
        return base64.b64decode(answer.get("ChecksumSHA256", ""), validate=True).hex()
    except ValueError:
        return ""


def upload(aws: Aws, bucket: str, stored: StoredObject, content: IO[bytes], *, replace: bool) -> None:
    """Store an object as it was. Without `replace`, one that is there by now stays: it is newer, or an answer was lost."""
    content.seek(0)
    settings: Any = {"ContentType": stored.content_type, "Tagging": urlencode(stored.tags), "IfNoneMatch": "" if replace else "*"}
    storage_class: Any = stored.storage_class
    or_none(
        lambda: aws.client("s3").put_object(
            Bucket=bucket,
            Key=stored.key,
            Body=content,
            StorageClass=storage_class,
            Metadata=dict(stored.metadata),
            ChecksumAlgorithm="SHA256",
            **{name: value for name, value in settings.items() if value},
        ),
        ("PreconditionFailed",),
    )


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
            "SERIAL is the serial number or ARN of the MFA device, CODE what it shows now. Then run the same command again.",
        ),
        aws_docs="https://docs.aws.amazon.com/AmazonS3/latest/userguide/MultiFactorAuthenticationDelete.html",
    )

"""The content of a bucket: read for a backup, put back from one. Of versioned objects only the current version counts."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlencode

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.resource import tags_of
from sre_core import clock

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

LARGEST = 5 * 1024**3
"""Bytes that one PutObject takes."""
_GONE = ("404", "NoSuchKey", "NoSuchBucket")
_CHUNK = 1024 * 1024


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

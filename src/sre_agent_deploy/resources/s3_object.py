"""An object in Amazon S3 (CloudFormation has no type for it)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import urlencode

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.later import LaterText, Text, require_known
from sre_agent_deploy.resource import (
    DEPLOYMENT_TAG,
    CfnResource,
    Defaults,
    Failures,
    Found,
    Mark,
    Owned,
    Steps,
    TagChanges,
    Waiting,
    tags_of,
)
from sre_agent_deploy.resources.s3_bucket import S3Bucket
from sre_agent_deploy.resources.s3_content import VERSIONS_REFUSED, delete_versions, find_lock, read_sha256
from sre_core.machine import BACKUPS_FOLDER, STATUS_FOLDER
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_GONE = ("404", "NoSuchKey", "NoSuchBucket")
# Machines give their files no tags: to ask for those of each would find nothing.
_WRITTEN_BY_MACHINES = frozenset({STATUS_FOLDER, BACKUPS_FOLDER})


@dataclass(frozen=True)
class Content:
    """The content of an object. Two contents are equal if their SHA-256 is, so nothing is downloaded to compare them.

    Text with Refs inside has no digest until they are resolved.
    """

    body: bytes | LaterText | None = field(compare=False, repr=False)
    sha256: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.body, bytes | str):
            object.__setattr__(self, "sha256", hashlib.sha256(self.bytes()).hexdigest())

    @classmethod
    def digest(cls, sha256: str) -> Content:
        """Create content of which only the digest is known."""
        return cls(None, sha256)

    def bytes(self) -> bytes:
        """Answer the bytes to store. Raises TypeError if only the digest is known, or a Ref inside is still open."""
        return self.body if isinstance(self.body, bytes) else require_known(self.body or Text(())).encode()


@dataclass(frozen=True, kw_only=True)
class S3Object(Defaults):
    """One file that machines or gateway targets read: a release, or an OpenAPI document."""

    KIND: ClassVar[str] = "AWS::S3::Object"
    UNIQUE: ClassVar[bool] = True
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"bucket_name", "key"})
    OWNED_BY_PLACE: ClassVar[bool] = True
    FIXED: ClassVar[frozenset[str]] = frozenset({"bucket_name", "key"})
    BLOCKERS: ClassVar[frozenset[tuple[str, str]]] = frozenset({VERSIONS_REFUSED})
    # Instances of the previous release may still start from theirs.
    BESIDE: ClassVar[bool] = True
    # Storing the same object again changes nothing.
    TOKEN: ClassVar[bool] = True
    MOST_TAGS: ClassVar[int] = 10
    PARENT: ClassVar[str] = S3Bucket.KIND

    name: str
    bucket_name: LaterText
    key: LaterText
    content: Content
    content_type: str
    storage_class: str = "STANDARD"

    def natural_id(self, aws: Aws) -> str:
        return f"{self.bucket_name}/{self.key}" if isinstance(self.bucket_name, str) and isinstance(self.key, str) else ""

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        # Objects can't be searched by tag, so those of the deployment's own buckets are asked one by one.
        ids = [f"{bucket.id}/{key}" for bucket in S3Bucket.owned(aws, deployment) for key in _list_keys(aws, bucket.id)]
        return _select_owned(aws, ids, deployment)

    @classmethod
    def within(cls, aws: Aws, parent: str, deployment: str) -> tuple[Owned, ...]:
        # Every key of ours has the deployment's id as one of its parts.
        ids = [f"{parent}/{key}" for key in _list_keys(aws, parent) if deployment in key.split("/")]
        return _select_owned(aws, ids, deployment)

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        bucket_name, key = _split_id(id)
        answer = or_none(lambda: aws.client("s3").head_object(Bucket=bucket_name, Key=key, ChecksumMode="ENABLED"), _GONE)
        if answer is None:
            return None
        sha256 = read_sha256(answer)
        seen = cls(
            name=name,
            bucket_name=bucket_name,
            key=key,
            content=Content.digest(sha256),
            content_type=answer["ContentType"],
            storage_class=answer.get("StorageClass", "STANDARD"),
        )
        return Found(id, seen, {"uri": f"s3://{id}", "key": key, "sha256": sha256}, _read_tags(aws, id))

    def create(self, aws: Aws, mark: Mark) -> str:
        id = f"{require_known(self.bucket_name)}/{require_known(self.key)}"
        self._put(aws, id, mark.tags(self.MOST_TAGS))
        return id

    def configure(self, aws: Aws, id: str) -> None:
        found = type(self).read(aws, id, self.name)
        if found and found.seen != self:
            # Storing it again without tags would drop those by which it is known as ours.
            self._put(aws, id, dict(found.tags or {}))

    def _put(self, aws: Aws, id: str, tags: dict[str, str]) -> None:
        bucket_name, key = _split_id(id)
        storage_class: Any = self.storage_class
        aws.client("s3").put_object(
            Bucket=bucket_name,
            Key=key,
            Body=self.content.bytes(),
            ContentType=self.content_type,
            StorageClass=storage_class,
            # S3 computes it from the content, so no other content can have it.
            ChecksumAlgorithm="SHA256",
            Metadata={"sha256": self.content.sha256},
            Tagging=urlencode(tags),
        )

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        bucket_name, key = _split_id(id)
        tags: Any = [{"Key": name, "Value": value} for name, value in changes.merge(_read_tags(aws, id)).items()]
        aws.client("s3").put_object_tagging(Bucket=bucket_name, Key=key, Tagging={"TagSet": tags})

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        # In a bucket of the user's that keeps versions, a plain delete would only hide it.
        bucket_name, key = _split_id(id)
        delete_versions(aws, bucket_name, key, only=lambda found: found == key)

    @classmethod
    def blockers(cls, aws: Aws, id: str, code: str) -> Waiting | Problem | None:
        return find_lock(aws, *_split_id(id))

    def console(self) -> Steps:
        return (
            f"S3 > Buckets > {self.bucket_name} > Upload",
            f"Object key: {self.key}",
            f"Properties > Metadata: System defined, Content-Type = {self.content_type}; Storage class: {self.storage_class}; "
            f"Checksums: SHA-256 ({self.content.sha256 or 'of the file'})",
            f"or, in CloudShell: aws s3 cp FILE s3://{self.bucket_name}/{self.key} --content-type {self.content_type} "
            "--checksum-algorithm SHA256",
        )

    def template(self) -> CfnResource:
        note = (
            f"CloudFormation can't store objects. Upload s3://{self.bucket_name}/{self.key} (Content-Type {self.content_type}, "
            f"{self.storage_class}, "
            f"SHA-256 {self.content.sha256 or 'of the final text'}) before the resources that read it are created."
        )
        return CfnResource(None, note=note)

    FAILURES: ClassVar[Failures] = {
        ("PutObject", "NoSuchBucket"): lambda item: Problem(
            code="S3-BUCKET-NOT-FOUND",
            what=f"{item.key} was not stored.",
            why=f"Bucket {item.bucket_name} does not exist: it was deleted meanwhile, or its name is misspelled in gateway.s3_bucket.",
            do=("Correct gateway.s3_bucket, or leave it empty to have a bucket created.", "Run the same command again."),
        ),
        ("PutObject", "AccessDenied"): lambda item: Problem(
            code="S3-WRITE-DENIED",
            what=f"{item.key} was not stored in {item.bucket_name}.",
            why="The identity you deploy with, or the bucket's policy, does not allow s3:PutObject and s3:PutObjectTagging there.",
            do=(
                f"Allow s3:PutObject and s3:PutObjectTagging on the objects of bucket {item.bucket_name}.",
                "Run the same command again.",
            ),
        ),
        ("HeadObject", "403"): lambda item: Problem(
            code="S3-READ-DENIED",
            what=f"{item.bucket_name}/{item.key} could not be read.",
            why="The bucket belongs to another account, or the identity you deploy with lacks s3:GetObject or s3:ListBucket on it.",
            do=(f"Allow s3:GetObject and s3:ListBucket on bucket {item.bucket_name}.", "Run the same command again."),
        ),
    } | {
        ("PutObject", code): lambda item: Problem(
            code="S3-KEY-UNUSABLE",
            what=f"{item.key} was not stored in {item.bucket_name}.",
            why="The bucket encrypts with a KMS key that is disabled, scheduled for deletion, or not in this region.",
            do=(
                "Enable the key, or cancel its deletion (KMS > Customer managed keys > Key actions).",
                "Or choose another key: S3 > the bucket > Properties > Default encryption.",
                "Run the same command again.",
            ),
            aws_docs="https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html",
        )
        for code in ("KMS.DisabledException", "KMS.NotFoundException", "KMS.KMSInvalidStateException")
    }


def _split_id(id: str) -> tuple[str, str]:
    bucket_name, _, key = id.partition("/")
    return bucket_name, key


def _list_keys(aws: Aws, bucket_name: str) -> list[str]:
    pages: Any = aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket_name)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    return [key for key in keys if _WRITTEN_BY_MACHINES.isdisjoint(key.split("/"))]


def _select_owned(aws: Aws, ids: list[str], deployment: str) -> tuple[Owned, ...]:
    tagged = [(id, _read_tags(aws, id)) for id in ids]
    return tuple(Owned.tagged(id, tags) for id, tags in tagged if tags.get(DEPLOYMENT_TAG) == deployment)


def _read_tags(aws: Aws, id: str) -> dict[str, str]:
    bucket_name, key = _split_id(id)
    answer = or_none(lambda: aws.client("s3").get_object_tagging(Bucket=bucket_name, Key=key), _GONE)
    return tags_of(answer["TagSet"] if answer else None)

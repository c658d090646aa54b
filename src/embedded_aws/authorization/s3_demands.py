"""List what calls of S3 must be allowed."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote

from embedded_aws.authorization.call import Call
from embedded_aws.authorization.demand import ANY, Demand, demand_tagging
from embedded_aws.authorization.state import ResourceState

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
_S3_ACTIONS = {
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListBuckets": "ListAllMyBuckets",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "GetBucketCors": "GetBucketCORS",
    "PutBucketCors": "PutBucketCORS",
    "DeleteBucketCors": "PutBucketCORS",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "UploadPartCopy": "PutObject",
}
_S3_COPIES = ("CopyObject", "UploadPartCopy")
_S3_OF_VERSION = {"GetObject", "DeleteObject", "GetObjectTagging", "PutObjectTagging"}


def list_s3(call: Call, state: ResourceState) -> Iterator[Demand]:
    bucket, key = call.text("Bucket"), call.text("Key")
    action = _S3_ACTIONS.get(call.operation, call.operation)
    if call.operation in _S3_OF_VERSION and call.text("VersionId"):
        action = action.replace("Object", "ObjectVersion", 1)
    whole = f"arn:aws:s3:::{bucket}"
    if call.operation == "DeleteObjects":
        # A request without objects is judged as one that deletes any.
        for each in call.parameters["Delete"].get("Objects") or ({"Key": ANY},):
            deletes = "DeleteObjectVersion" if each.get("VersionId") else "DeleteObject"
            yield Demand(f"s3:{deletes}", f"{whole}/{each['Key']}")
        return
    keys = {"s3:prefix": call.text("Prefix")} if action.startswith("ListBucket") else {}
    yield Demand(f"s3:{action}", f"{whole}/{key}" if key else whole if bucket else ANY, keys)
    if key:
        yield from _bucket_key(call, state, bucket, key)
    if call.operation == "CreateBucket":
        yield from demand_tagging(call, "TagResource", whole)
    if call.operation == "PutObject" and parse_qsl(call.text("Tagging")):
        yield Demand("s3:PutObjectTagging", f"{whole}/{key}")
    if call.operation in _S3_COPIES:
        source, _, version = call.text("CopySource").partition("?versionId=")
        yield Demand("s3:GetObjectVersion" if version else "s3:GetObject", f"arn:aws:s3:::{unquote(source).removeprefix('/')}")


def _bucket_key(call: Call, state: ResourceState, bucket: str, key: str) -> Iterator[Demand]:
    """List what S3 does with a KMS key as the caller: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html."""
    action = {"GetObject": "Decrypt", "PutObject": "GenerateDataKey", "CopyObject": "GenerateDataKey"}.get(call.operation)
    if action and (arn := state.bucket_key(bucket, key if action == "Decrypt" else "")):
        yield Demand(f"kms:{action}", arn, {"kms:ViaService": f"s3.{call.region}.amazonaws.com"})

"""The settings of an S3 bucket that are lists of rules in S3: encryption, lifecycle, CORS and access log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sre_agent_deploy.aws.attempt import or_none

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

OLD_VERSION_DAYS = 30
OLD_VERSIONS = "old-versions"
"""The ID of our lifecycle rule."""
CORS_SECONDS = 3000


def read_encryption(aws: Aws, bucket: str) -> str:
    answer: Any = or_none(
        lambda: aws.client("s3").get_bucket_encryption(Bucket=bucket), ("ServerSideEncryptionConfigurationNotFoundError",)
    )
    rules = answer["ServerSideEncryptionConfiguration"]["Rules"] if answer else [{}]
    default = rules[0].get("ApplyServerSideEncryptionByDefault", {})
    key = default.get("KMSMasterKeyID", "")
    costly = "without S3 Bucket Key" if key and not rules[0].get("BucketKeyEnabled") else ""
    return " ".join(filter(None, (default.get("SSEAlgorithm", "none"), key, costly)))


def read_lifecycle(aws: Aws, bucket: str) -> tuple[int, tuple[str, ...]]:
    """Read the days of our rule, and all other rules."""
    answer: Any = or_none(lambda: aws.client("s3").get_bucket_lifecycle_configuration(Bucket=bucket), ("NoSuchLifecycleConfiguration",))
    rules = answer["Rules"] if answer else []
    days = {index: _days_of_ours(rule) for index, rule in enumerate(rules)}
    others = (json.dumps(rule, default=str) for index, rule in enumerate(rules) if not days[index])
    return max(days.values(), default=0), tuple(others)


def _days_of_ours(rule: Any) -> int:
    """Read after how many days our rule removes old versions; 0 of any other rule."""
    days = rule.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays", 0)
    # S3 may show a filter that selects everything in more than one form.
    everything = {"Filter": {"Prefix": ""}} if rule.get("Filter", {}) in ({}, {"Prefix": ""}) and not rule.get("Prefix") else {}
    shown = {key: value for key, value in rule.items() if key not in ("Filter", "Prefix")} | everything
    return int(days) if shown == expire_versions(days) else 0


def expire_versions(days: int) -> dict[str, Any]:
    return {
        "ID": OLD_VERSIONS,
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "Expiration": {"ExpiredObjectDeleteMarker": True},
        "NoncurrentVersionExpiration": {"NoncurrentDays": days},
    }


def read_cors(aws: Aws, bucket: str) -> tuple[str, ...]:
    """Read the origins of our rule, or each of other rules as it is."""
    rules: Any = or_none(lambda: aws.client("s3").get_bucket_cors(Bucket=bucket)["CORSRules"], ("NoSuchCORSConfiguration",)) or []
    origins = tuple(rules[0].get("AllowedOrigins", ())) if rules else ()
    return origins if rules == [cors_rule(origins)] else tuple(json.dumps(rule) for rule in rules)


def cors_rule(origins: tuple[str, ...]) -> dict[str, Any]:
    if not origins:
        return {}
    return {"AllowedMethods": ["GET", "HEAD"], "AllowedOrigins": list(origins), "MaxAgeSeconds": CORS_SECONDS}


def put_cors(aws: Aws, bucket: str, origins: tuple[str, ...]) -> None:
    if not origins:
        aws.client("s3").delete_bucket_cors(Bucket=bucket)
        return
    rules: Any = {"CORSRules": [cors_rule(origins)]}
    aws.client("s3").put_bucket_cors(Bucket=bucket, CORSConfiguration=rules)


def read_access_log(aws: Aws, bucket: str) -> str:
    target = aws.client("s3").get_bucket_logging(Bucket=bucket).get("LoggingEnabled")
    return f"{target['TargetBucket']}/{target['TargetPrefix']}" if target else ""


def log_settings(access_log: str) -> Any:
    bucket, _, prefix = access_log.partition("/")
    return {"LoggingEnabled": {"TargetBucket": bucket, "TargetPrefix": prefix}} if access_log else {}


def encryption_rules(chosen: str) -> dict[str, Any]:
    algorithm, _, key = chosen.partition(" ")
    if not key:
        return {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}}]}
    by_key = {"SSEAlgorithm": algorithm, "KMSMasterKeyID": key}
    # One key of S3's own for many objects: fewer, cheaper calls of KMS.
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": by_key, "BucketKeyEnabled": True}]}


def encryption_template(chosen: str) -> dict[str, Any]:
    [rule] = encryption_rules(chosen)["Rules"]
    rule["ServerSideEncryptionByDefault"] = rule.pop("ApplyServerSideEncryptionByDefault")
    return {"ServerSideEncryptionConfiguration": [rule]}


def name_encryption(chosen: str) -> str:
    algorithm, _, key = chosen.partition(" ")
    if not key:
        return f"Server-side encryption with Amazon S3 managed keys (SSE-S3, {algorithm})"
    return f"Server-side encryption with AWS KMS keys (SSE-KMS, {algorithm}); AWS KMS key ARN: {key}; Bucket Key: Enable"

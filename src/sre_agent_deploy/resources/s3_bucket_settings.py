"""The settings of an S3 bucket that are documents in S3: policy, encryption, lifecycle, CORS and access log.

The policy denies every access without TLS, and at most one trail of CloudTrail writes its log files into it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.later import LaterText, text
from sre_agent_deploy.resources import policy_document

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws


_WRITE = "AWSCloudTrailWrite20150319"


def bucket_policy(partition: LaterText, bucket: str, trail_arn: str = "") -> dict[str, Any]:
    """Build the policy; without a trail it grants no permission."""
    arn = text("arn:{partition}:s3:::" + bucket, partition=partition)
    refuse_plain_http = {
        "Sid": "RefusePlainHttp",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, text("{arn}/*", arn=arn)],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    of_trail = _trail_statements(arn, trail_arn) if trail_arn else []
    return {"Version": policy_document.VERSION, "Statement": [refuse_plain_http, *of_trail]}


def _trail_statements(arn: LaterText, trail_arn: str) -> list[dict[str, Any]]:
    """Allow what CloudTrail needs, for this one trail alone.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html
    """
    allow = {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}}
    files, only = text("{arn}/AWSLogs/" + trail_arn.split(":")[4] + "/*", arn=arn), {"aws:SourceArn": trail_arn}
    owned = {"s3:x-amz-acl": "bucket-owner-full-control", **only}
    return [
        {
            "Sid": "AWSCloudTrailAclCheck20150319",
            **allow,
            "Action": "s3:GetBucketAcl",
            "Resource": arn,
            "Condition": {"StringEquals": only},
        },
        {"Sid": _WRITE, **allow, "Action": "s3:PutObject", "Resource": files, "Condition": {"StringEquals": owned}},
    ]


def read_policy(aws: Aws, bucket: str) -> Any:
    policy = or_none(lambda: aws.client("s3").get_bucket_policy(Bucket=bucket)["Policy"], ("NoSuchBucketPolicy",))
    return json.loads(policy) if policy else None


def find_trail(policy: Any) -> str:
    """Return the ARN of the trail that a policy lets write; empty where it lets none."""
    statements = policy.get("Statement", ()) if isinstance(policy, dict) else ()
    conditions = (each.get("Condition", {}).get("StringEquals", {}) for each in statements if each.get("Sid") == _WRITE)
    return next((str(condition.get("aws:SourceArn", "")) for condition in conditions), "")


OLD_VERSION_DAYS = 30
OLD_VERSIONS, OLD_FILES = "old-versions", "old-files"
"""The IDs of our lifecycle rules."""
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


def read_lifecycle(aws: Aws, bucket: str) -> tuple[int, int, tuple[str, ...]]:
    """Read after how many days our rules delete old versions and old files, and return the rules of others with them."""
    answer: Any = or_none(lambda: aws.client("s3").get_bucket_lifecycle_configuration(Bucket=bucket), ("NoSuchLifecycleConfiguration",))
    rules = answer["Rules"] if answer else []
    versions, files = ([_days_of_ours(rule, build) for rule in rules] for build in (expire_versions, expire_files))
    others = (json.dumps(rule, default=str) for rule, *ours in zip(rules, versions, files, strict=True) if not any(ours))
    return max(versions, default=0), max(files, default=0), tuple(others)


def _days_of_ours(rule: Any, build: Callable[[int], dict[str, Any]]) -> int:
    """Read the days of one of our rules; 0 of any other rule."""
    days = rule.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays", 0) or rule.get("Expiration", {}).get("Days", 0)
    # S3 may show a filter that selects everything in more than one form.
    everything = {"Filter": {"Prefix": ""}} if rule.get("Filter", {}) in ({}, {"Prefix": ""}) and not rule.get("Prefix") else {}
    shown = {key: value for key, value in rule.items() if key not in ("Filter", "Prefix")} | everything
    return int(days) if shown == build(days) else 0


def lifecycle_rules(old_version_days: int, expire_days: int) -> list[dict[str, Any]]:
    """Build our rules; 0 days for none."""
    return [*([expire_versions(old_version_days)] if old_version_days else ()), *([expire_files(expire_days)] if expire_days else ())]


def lifecycle_template(old_version_days: int, expire_days: int) -> list[dict[str, Any]]:
    """Build the same rules for CloudFormation, which has the parts of an expiration beside one another."""
    renamed = {"ID": "Id", "Days": "ExpirationInDays"}
    rules = lifecycle_rules(old_version_days, expire_days)
    flat = ({key: value for key, value in {**rule, **rule["Expiration"]}.items() if key not in ("Filter", "Expiration")} for rule in rules)
    return [{renamed.get(key, key): value for key, value in rule.items()} for rule in flat]


def expire_versions(days: int) -> dict[str, Any]:
    return {
        "ID": OLD_VERSIONS,
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "Expiration": {"ExpiredObjectDeleteMarker": True},
        "NoncurrentVersionExpiration": {"NoncurrentDays": days},
    }


def expire_files(days: int) -> dict[str, Any]:
    return {"ID": OLD_FILES, "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": days}}


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

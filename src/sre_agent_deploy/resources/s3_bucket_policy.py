"""The policy of a bucket: nobody uses it without TLS, and at most one trail of CloudTrail writes its log files into it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.later import LaterText, text
from sre_agent_deploy.resources import policy_document

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_WRITE = "AWSCloudTrailWrite20150319"


def bucket_policy(partition: LaterText, bucket: str, trail_arn: str = "") -> dict[str, Any]:
    """Build the policy; without a trail it allows nobody anything."""
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

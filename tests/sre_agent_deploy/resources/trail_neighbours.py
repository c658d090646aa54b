"""The resources that a trail needs: a bucket, a log group and a role that let it write, and a key that CloudTrail may use."""

from __future__ import annotations

import json
from collections.abc import Callable

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.resource import Mark
from sre_agent_deploy.resources.iam_role import IamRole
from sre_agent_deploy.resources.logs_log_group import LogGroup
from sre_agent_deploy.resources.policy_document import Statement
from sre_agent_deploy.resources.s3_bucket import S3Bucket

from .life import create, read


def make_place(aws: Aws, marked: Callable[[str], Mark], deployment: str, name: str, trail: str = "") -> dict[str, str]:
    """Make a bucket, a log group and a role that let the deployment's trail write, or another one of this name."""
    where = f"{aws.region}:{aws.account_id}"
    arn = f"arn:aws:cloudtrail:{where}:trail/{trail or f'{deployment}-trail'}"
    bucket = S3Bucket(name="trail_bucket", bucket_name=name, trail_arn=arn, expire_days=30)
    streams = f"arn:aws:logs:{where}:log-group:{name}:log-stream:{aws.account_id}_CloudTrail_{aws.region}*"
    role = IamRole(
        name="trail_role",
        role_name=name,
        path=f"/sre-agent/{deployment}/",
        service="cloudtrail.amazonaws.com",
        statements=(Statement("WriteTrail", ("logs:CreateLogStream", "logs:PutLogEvents"), (streams,)),),
    )
    group = LogGroup(name="log_trail", log_group_name=name, retention_days=30)
    create(aws, bucket, marked("trail_bucket"))
    role_id, group_id = (create(aws, each, marked(each.name)) for each in (role, group))
    return {
        "bucket_name": name,
        "log_group_arn": str(read(aws, group, group_id).outputs["arn"]),
        "role_arn": str(read(aws, role, role_id).outputs["role_arn"]),
    }


def trail_key(aws: Aws, *actions: str) -> str:
    """A KMS key that lets CloudTrail do this."""
    everything = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{aws.account_id}:root"}, "Action": "kms:*", "Resource": "*"}
    ours = {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": list(actions), "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [everything, ours]}
    return str(aws.client("kms").create_key(Policy=json.dumps(document))["KeyMetadata"]["Arn"])

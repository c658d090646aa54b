"""A trail: born where CloudTrail may write, repaired, gone without a trace, and refused as CloudTrail refuses it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.resources.cloudtrail_trail import Trail
from sre_agent_deploy.resources.iam_role import IamRole
from sre_agent_deploy.resources.logs_log_group import LogGroup
from sre_agent_deploy.resources.policy_document import Statement
from sre_agent_deploy.resources.s3_bucket import S3Bucket

from .conftest import Marked
from .life import born, dies, drift, lives_and_dies, read, refused, repairs

GATEWAY = "arn:aws:bedrock-agentcore:us-east-1:123456789012:gateway/sre-0000000000-abcdefghij"


def _make_place(aws: Aws, marked: Marked, deployment: str, name: str) -> dict[str, str]:
    """Make a bucket, a log group and a role that let the deployment's trail write."""
    where = f"{aws.region}:{aws.account_id}"
    arn = f"arn:aws:cloudtrail:{where}:trail/{deployment}-trail"
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
    born(aws, bucket, marked("trail_bucket"))
    role_id, group_id = (born(aws, each, marked(each.name)) for each in (role, group))
    return {
        "bucket_name": name,
        "log_group_arn": str(read(aws, group, group_id).outputs["arn"]),
        "role_arn": str(read(aws, role, role_id).outputs["role_arn"]),
    }


@pytest.fixture
def trail(aws: Aws, marked: Marked, deployment: str) -> Trail:
    """A declaration, and the bucket, log group and role that it writes with."""
    name = f"{deployment}-trail"
    return Trail(name="trail", trail_name=name, gateway_arn=GATEWAY, **_make_place(aws, marked, deployment, name))


def test_a_trail_from_birth_to_death(aws: Aws, marked: Marked, deployment: str, trail: Trail) -> None:
    """It is as declared, what differs is repaired in both directions, and its bucket keeps files for a time."""
    mark = marked("trail")
    lives_and_dies(aws, trail, mark)
    id = born(aws, trail, mark)
    key = _key(aws, "kms:GenerateDataKey*", "kms:DescribeKey")
    repairs(aws, trail, id, kms_key=key, log_file_validation=False, logging=False, gateway_arn=f"{GATEWAY}x")
    repairs(aws, trail, id, **_make_place(aws, marked, deployment, f"{deployment}-other"))
    repairs(aws, trail, id, multi_region=True, global_events=True)
    bucket = S3Bucket(
        name="b", bucket_name=str(trail.bucket_name), trail_arn=str(read(aws, trail, id).outputs["trail_arn"]), expire_days=30
    )
    repairs(aws, bucket, id, trail_arn="", expire_days=0)
    repairs(aws, bucket, id, expire_days=90, old_version_days=30, versioning="Enabled")
    assert refused(aws, trail, mark).code == "CLOUDTRAIL-NAME-TAKEN"
    aws.client("cloudtrail").put_event_selectors(TrailName=id, EventSelectors=[{"ReadWriteType": "All"}])
    assert {entry.field for entry in drift(aws, trail, id)} == {"gateway_arn", "selectors"}
    dies(aws, trail, id, mark.deployment)


def _key(aws: Aws, *actions: str) -> str:
    """A KMS key that lets CloudTrail do this."""
    everything = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{aws.account_id}:root"}, "Action": "kms:*", "Resource": "*"}
    ours = {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": list(actions), "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [everything, ours]}
    return str(aws.client("kms").create_key(Policy=json.dumps(document))["KeyMetadata"]["Arn"])


def test_a_trail_that_cannot_write(aws: Aws, marked: Marked, trail: Trail) -> None:
    """CloudTrail refuses one whose bucket lets another trail write, whose role writes elsewhere, or whose key is not its own."""
    mark = marked("trail")
    assert refused(aws, replace(trail, trail_name=f"{trail.trail_name}-2"), mark).code == "CLOUDTRAIL-CANT-WRITE"
    assert refused(aws, replace(trail, kms_key=_key(aws, "kms:DescribeKey")), mark).code == "CLOUDTRAIL-KEY-REFUSED"
    role = str(trail.role_arn).rpartition("/")[2]
    elsewhere = {"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "arn:aws:logs:us-east-1:123456789012:log-group:other:*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [elsewhere]})
    aws.client("iam").put_role_policy(RoleName=role, PolicyName=role, PolicyDocument=document)
    assert refused(aws, trail, mark).code == "CLOUDTRAIL-CANT-WRITE"


@pytest.mark.parametrize(
    "fields",
    [
        {"eventCategory": "Data"},
        {"eventCategory": "Data", "resources.type": "AWS::S3::Object", "userAgent": "x"},
        {"eventCategory": "Management", "eventSource": "cognito-idp.amazonaws.com"},
        {"eventCategory": "Management", "readOnly": "maybe"},
        {"eventCategory": "Insight"},
        {"readOnly": "false"},
    ],
    ids=str,
)
def test_selectors_that_cloudtrail_refuses(aws: Aws, marked: Marked, trail: Trail, fields: dict[str, str]) -> None:
    """A data event needs its type; the management events of a trail can't be those of one service."""
    id = trail.create(aws, marked("trail"))
    selectors: Any = [{"FieldSelectors": [{"Field": name, "Equals": [value]} for name, value in fields.items()]}]
    with pytest.raises(ClientError, match="InvalidEventSelectorsException"):
        aws.client("cloudtrail").put_event_selectors(TrailName=id, AdvancedEventSelectors=selectors)
    Trail.delete(aws, id)

"""A trail: created where CloudTrail may write, repaired, deleted completely, and refused as CloudTrail refuses it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.resources.cloudtrail_trail import Trail
from sre_agent_deploy.resources.s3_bucket import S3Bucket

from .conftest import Marked
from .life import check_life_cycle, check_repair, create, delete, drift, read, refused
from .trail_neighbours import make_place, trail_key

GATEWAY = "arn:aws:bedrock-agentcore:us-east-1:123456789012:gateway/sre-0000000000-abcdefghij"


@pytest.fixture
def trail(aws: Aws, marked: Marked, deployment: str) -> Trail:
    """A declaration, and the bucket, log group and role that it writes with."""
    name = f"{deployment}-trail"
    return Trail(name="trail", trail_name=name, gateway_arn=GATEWAY, **make_place(aws, marked, deployment, name))


def test_a_trail_from_creation_to_deletion(aws: Aws, marked: Marked, deployment: str, trail: Trail) -> None:
    """It is as declared, what differs is repaired in both directions, and its bucket keeps files for a time."""
    # CloudTrail takes no empty value, but a key without one.
    mark = replace(marked("trail"), extra={"owner": ""})
    check_life_cycle(aws, trail, mark)
    id = create(aws, trail, mark)
    key = trail_key(aws, "kms:GenerateDataKey*", "kms:DescribeKey")
    check_repair(aws, trail, id, kms_key=key, log_file_validation=False, logging=False, gateway_arn=f"{GATEWAY}x")
    check_repair(aws, trail, id, **make_place(aws, marked, deployment, f"{deployment}-other"))
    check_repair(aws, trail, id, multi_region=True, global_events=True)
    bucket = S3Bucket(
        name="b", bucket_name=str(trail.bucket_name), trail_arn=str(read(aws, trail, id).outputs["trail_arn"]), expire_days=30
    )
    check_repair(aws, bucket, id, trail_arn="", expire_days=0)
    check_repair(aws, bucket, id, expire_days=90, old_version_days=30, versioning="Enabled")
    assert refused(aws, trail, mark).code == "CLOUDTRAIL-NAME-TAKEN"
    aws.client("cloudtrail").put_event_selectors(TrailName=id, EventSelectors=[{"ReadWriteType": "All"}])
    assert {entry.field for entry in drift(aws, trail, id)} == {"gateway_arn", "selectors"}
    delete(aws, trail, id, mark.deployment)


def test_a_trail_that_cannot_write(aws: Aws, marked: Marked, trail: Trail) -> None:
    """CloudTrail refuses one whose bucket lets another trail write, whose role writes elsewhere, or whose key is not its own."""
    mark = marked("trail")
    assert refused(aws, replace(trail, trail_name=f"{trail.trail_name}-2"), mark).code == "CLOUDTRAIL-CANT-WRITE"
    assert refused(aws, replace(trail, kms_key=trail_key(aws, "kms:DescribeKey")), mark).code == "CLOUDTRAIL-KEY-REFUSED"
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

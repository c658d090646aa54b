"""Buckets: S3 propagates their creation and deletion with a delay."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from fixtures.access_logs import accept_logs
from fixtures.answered import refused_once
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.engine.create import configure_resource
from sre_agent_deploy.resources.s3_bucket import S3Bucket
from sre_agent_deploy.resources.s3_object import Content, S3Object
from sre_core.problem import Problem

from .conftest import Marked
from .life import check_life_cycle, check_repair, create, delete, drift, refused


@pytest.mark.parametrize(
    ("operation", "code", "status"), [("PutPublicAccessBlock", "NoSuchBucket", 404), ("PutBucketPolicy", "OperationAborted", 409)]
)
def test_a_bucket_that_was_just_made(aws: Aws, marked: Marked, deployment: str, operation: str, code: str, status: int) -> None:
    """S3 may not know it yet, or be busy with it: the same call is sent again."""
    bucket = S3Bucket(name="bucket", bucket_name=f"{deployment}-files")
    id = bucket.create(aws, marked("bucket"))
    with refused_once(aws.client("s3"), operation, code, status):
        assert configure_resource(aws, bucket, id) is None
    assert drift(aws, bucket, id) == ()
    delete(aws, bucket, id, deployment)


def _with_everything(aws: Aws, deployment: str) -> S3Bucket:
    """A bucket with each setting that is off by default, and what they need in the account."""
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    logs = f"{deployment}-logs"
    aws.client("s3").create_bucket(Bucket=logs)
    aws.client("s3").put_bucket_policy(Bucket=logs, Policy=json.dumps(accept_logs(logs)))
    return S3Bucket(
        name="bucket",
        bucket_name=f"{deployment}-files",
        encryption=f"aws:kms {key}",
        versioning="Enabled",
        old_version_days=30,
        cors_origins=("https://docs.example.com", "https://*.example.org"),
        access_log=f"{logs}/files/",
    )


def test_a_bucket_with_every_setting(aws: Aws, marked: Marked, deployment: str) -> None:
    """It is made as declared, what differs is repaired in both directions, and its old versions go with it."""
    bucket = _with_everything(aws, deployment)
    id = create(aws, bucket, marked("bucket"))
    off: dict[str, Any] = {"encryption": "AES256", "versioning": "Off", "old_version_days": 0, "cors_origins": (), "access_log": ""}
    check_repair(aws, bucket, id, **off)
    for body in (b"first", b"second"):
        aws.client("s3").put_object(Bucket=id, Key="openapi.json", Body=body)
    delete(aws, bucket, id, deployment)
    check_life_cycle(aws, replace(bucket, bucket_name=f"{deployment}-others"), marked("bucket"))


def test_rules_that_others_added(aws: Aws, marked: Marked, deployment: str) -> None:
    """Another lifecycle or CORS rule beside ours is drift, and goes."""
    bucket = _with_everything(aws, deployment)
    id, s3 = create(aws, bucket, marked("bucket")), aws.client("s3")
    rules = s3.get_bucket_lifecycle_configuration(Bucket=id)["Rules"]
    more: Any = {"ID": "all", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
    s3.put_bucket_lifecycle_configuration(Bucket=id, LifecycleConfiguration={"Rules": [*rules, more]})
    opened: Any = [*s3.get_bucket_cors(Bucket=id)["CORSRules"], {"AllowedMethods": ["PUT"], "AllowedOrigins": ["*"]}]
    s3.put_bucket_cors(Bucket=id, CORSConfiguration={"CORSRules": opened})
    assert {entry.field for entry in drift(aws, bucket, id)} == {"lifecycle", "cors_origins"}
    bucket.configure(aws, id)
    assert drift(aws, bucket, id) == ()
    delete(aws, bucket, id, deployment)


def test_an_access_log_that_nobody_may_write(aws: Aws, marked: Marked, deployment: str) -> None:
    """A target whose policy lets the logging service write nothing is refused with the statement that it needs."""
    bucket = _with_everything(aws, deployment)
    aws.client("s3").delete_bucket_policy(Bucket=f"{deployment}-logs")
    problem = configure_resource(aws, bucket, bucket.create(aws, marked("bucket")))
    assert isinstance(problem, Problem)
    assert problem.code == "S3-LOG-BUCKET"
    assert f"arn:aws:s3:::{deployment}-logs/files/*" in problem.do[0]
    delete(aws, bucket, bucket.bucket_name, deployment)


def test_a_bucket_key_that_does_not_exist(aws: Aws, marked: Marked, deployment: str) -> None:
    """A write is refused with the setting that names the key."""
    key = f"arn:aws:kms:{aws.region}:{aws.account_id}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    bucket = replace(_with_everything(aws, deployment), encryption=f"aws:kms {key}")
    id = create(aws, bucket, marked("bucket"))
    stored = S3Object(name="file", bucket_name=id, key="a", content=Content(b"a"), content_type="text/plain")
    assert refused(aws, stored, marked("file")).code == "S3-KEY-UNUSABLE"
    delete(aws, bucket, id, deployment)

"""Buckets, which S3 makes and lets go of everywhere, but not everywhere at once."""

from __future__ import annotations

import pytest

from fixtures.answered import refused_once
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.engine import configure as settle
from sre_agent_deploy.resources.s3_bucket import S3Bucket

from .conftest import Marked
from .life import dies, drift


@pytest.mark.parametrize(
    ("operation", "code", "status"), [("PutPublicAccessBlock", "NoSuchBucket", 404), ("PutBucketPolicy", "OperationAborted", 409)]
)
def test_a_bucket_that_was_just_made(aws: Aws, marked: Marked, deployment: str, operation: str, code: str, status: int) -> None:
    """S3 may not know it yet, or be busy with it: what is to be said of it is said again."""
    bucket = S3Bucket(name="bucket", bucket_name=f"{deployment}-files")
    id = bucket.create(aws, marked("bucket"))
    with refused_once(aws.client("s3"), operation, code, status):
        assert settle.configure_resource(aws, bucket, id) is None
    assert drift(aws, bucket, id) == ()
    dies(aws, bucket, id, deployment)

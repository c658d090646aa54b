"""Objects: stored once, compared by digest, known by their tags."""

from __future__ import annotations

import hashlib

import pytest

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.later import Ref, resolve, text
from sre_agent_deploy.resources.s3_bucket import S3Bucket
from sre_agent_deploy.resources.s3_object import Content, S3Object

from .conftest import Marked
from .life import check_life_cycle, check_repair, configure, create, delete, drift, read, refused


@pytest.fixture
def bucket_name(aws: Aws, marked: Marked, deployment: str) -> str:
    return create(aws, S3Bucket(name="bucket", bucket_name=f"{deployment}-files"), marked("bucket"))


def item(bucket_name: str, body: str = "openapi: 3.1.0") -> S3Object:
    content = Content(body.encode())
    return S3Object(name="document", bucket_name=bucket_name, key="openapi/a b.yaml", content=content, content_type="application/yaml")


def test_an_object_from_creation_to_deletion(aws: Aws, marked: Marked, bucket_name: str) -> None:
    """It is stored with its digest and its deployment's tags, and found by them."""
    check_life_cycle(aws, item(bucket_name), marked("document"))


def test_an_object_that_differs(aws: Aws, marked: Marked, deployment: str, bucket_name: str) -> None:
    """Content and type are put right, and it stays ours."""
    declared = item(bucket_name)
    id = create(aws, declared, marked("document"))
    check_repair(aws, declared, id, content=Content(b"openapi: 3.0.0"), content_type="text/plain")
    assert read(aws, declared, id).owner(deployment) == "us"
    assert aws.client("s3").get_object(Bucket=bucket_name, Key="openapi/a b.yaml")["Body"].read() == b"openapi: 3.1.0"
    delete(aws, declared, id, deployment)


def test_an_object_that_was_replaced_by_hand(aws: Aws, marked: Marked, deployment: str, bucket_name: str) -> None:
    """Without our digest it counts as different, and without our tag as foreign."""
    declared = item(bucket_name)
    id = create(aws, declared, marked("document"))
    aws.client("s3").put_object(Bucket=bucket_name, Key="openapi/a b.yaml", Body=b"other", ContentType="application/yaml")
    assert [entry.field for entry in drift(aws, declared, id)] == ["content"]
    assert read(aws, declared, id).owner(deployment) == "stranger"
    assert S3Object.owned(aws, deployment) == ()


def test_what_others_refer_to(aws: Aws, marked: Marked, bucket_name: str) -> None:
    """The object's address is S3's own form of it."""
    id = create(aws, item(bucket_name), marked("document"))
    digest = hashlib.sha256(b"openapi: 3.1.0").hexdigest()
    outputs = {"uri": f"s3://{bucket_name}/openapi/a b.yaml", "key": "openapi/a b.yaml", "sha256": digest}
    assert read(aws, item(bucket_name), id).outputs == outputs


def test_configuring_what_is_right(aws: Aws, marked: Marked, bucket_name: str) -> None:
    """Nothing is stored again."""
    declared = item(bucket_name)
    id = create(aws, declared, marked("document"))
    before = aws.client("s3").head_object(Bucket=bucket_name, Key="openapi/a b.yaml")
    configure(aws, declared, id)
    after = aws.client("s3").head_object(Bucket=bucket_name, Key="openapi/a b.yaml")
    assert (after["LastModified"], after["ETag"]) == (before["LastModified"], before["ETag"])


def test_a_bucket_that_is_not_there(aws: Aws, marked: Marked, deployment: str) -> None:
    """It is a Problem that names the field."""
    problem = refused(aws, item(f"{deployment}-nowhere"), marked("document"))
    assert problem.code == "S3-BUCKET-NOT-FOUND"
    assert "gateway.s3_bucket" in problem.do[0]


def test_content_that_names_what_aws_will_choose() -> None:
    """It has no digest until that is known, and then the one of the final text."""
    content = Content(text("servers: {url}", url=Ref("address", "public_ip")))
    assert content.sha256 == ""
    with pytest.raises(TypeError):
        content.bytes()
    assert resolve(content, {"address": {"public_ip": "192.0.2.1"}}) == Content(b"servers: 192.0.2.1")


def test_contents_are_compared_by_their_digest() -> None:
    """Empty, binary or text: the same bytes are the same content, and others are not."""
    assert Content("text") == Content(b"text") == Content.digest(hashlib.sha256(b"text").hexdigest())
    assert Content(b"text") != Content(b"other")
    assert Content(b"").sha256 == hashlib.sha256(b"").hexdigest()
    assert "secret text" not in repr(Content("secret text"))

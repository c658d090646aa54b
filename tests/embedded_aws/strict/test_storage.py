"""Secrets Manager and S3 as strict as AWS."""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fixtures.embedded import EmbeddedAws


def test_a_secrets_name_is_taken_during_recovery(embedded: EmbeddedAws) -> None:
    """It can be restored, or deleted at once; only then is the name free."""
    secrets, name = embedded.client("secretsmanager"), f"secret-{uuid.uuid4().hex[:8]}"
    secrets.create_secret(Name=name, SecretString="one")
    secrets.delete_secret(SecretId=name, RecoveryWindowInDays=7)
    with pytest.raises(ClientError, match=r"InvalidRequestException.*scheduled for deletion"):
        secrets.create_secret(Name=name, SecretString="two")

    secrets.restore_secret(SecretId=name)
    secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    secrets.create_secret(Name=name, SecretString="two")


@pytest.fixture
def s3(embedded: EmbeddedAws) -> Any:
    return embedded.client("s3")


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"bucket-{uuid.uuid4().hex[:10]}"
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="key", Body=b"value")
    return name


def test_a_bucket_that_is_made_anew(s3: Any) -> None:
    """It has no tags of the bucket that had its name before."""
    name = f"bucket-{uuid.uuid4().hex[:10]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"Tags": [{"Key": "team", "Value": "platform"}]})
    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == [{"Key": "team", "Value": "platform"}]
    s3.delete_bucket(Bucket=name)
    s3.create_bucket(Bucket=name)
    with pytest.raises(ClientError, match="NoSuchTagSet"):
        s3.get_bucket_tagging(Bucket=name)


def deny(bucket: str, **more: Any) -> str:
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        **more,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_policy_that_demands_tls_lets_tls_pass(s3: Any, bucket: str) -> None:
    """Requests here come over TLS, and a policy can see it."""
    s3.put_bucket_policy(Bucket=bucket, Policy=deny(bucket, Condition={"Bool": {"aws:SecureTransport": "false"}}))

    s3.put_object(Bucket=bucket, Key="key", Body=b"new")
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"new"


def test_a_policy_that_forbids_tls_is_obeyed(s3: Any, bucket: str) -> None:
    """The condition is evaluated, and not passed over."""
    s3.put_bucket_policy(Bucket=bucket, Policy=deny(bucket, Condition={"Bool": {"aws:SecureTransport": "true"}}))
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket=bucket, Key="key")

    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_a_denied_caller_is_denied(embedded: EmbeddedAws, s3: Any, bucket: str) -> None:
    """A policy sees who asks."""
    account = f"arn:aws:iam::{embedded.account_id}:root"
    s3.put_bucket_policy(Bucket=bucket, Policy=deny(bucket, Condition={"StringNotLike": {"aws:PrincipalArn": account}}))
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"value"

    s3.put_bucket_policy(Bucket=bucket, Policy=deny(bucket, Principal={"AWS": account}))
    with pytest.raises(ClientError):
        s3.get_object(Bucket=bucket, Key="key")


def test_a_new_bucket_is_closed_and_encrypted(s3: Any, bucket: str) -> None:
    """As every bucket on AWS since 2023."""
    (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]

    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert set(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()) == {True}


def test_a_bucket_can_be_tagged_at_its_creation(s3: Any) -> None:
    """So that a bucket whose maker died is recognised."""
    name, tags = f"bucket-{uuid.uuid4().hex[:10]}", [{"Key": "k", "Value": "v"}]
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"Tags": tags})

    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == tags


def test_a_bucket_of_another_region(embedded: EmbeddedAws) -> None:
    """A request for it is redirected, as AWS does; botocore follows, and other clients get the region."""
    name = f"bucket-{uuid.uuid4().hex[:10]}"
    abroad = embedded.client("s3", region_name="eu-west-1")
    abroad.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    here = embedded.client("s3")
    here.put_object(Bucket=name, Key="key", Body=b"value")
    assert here.get_object(Bucket=name, Key="key")["Body"].read() == b"value"
    assert here.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-west-1"
    answers: list[tuple[int, str]] = []

    def note(response_dict: Any, **_: Any) -> None:
        answers.append((response_dict["status_code"], response_dict["headers"].get("x-amz-bucket-region", "")))

    elsewhere = embedded.client("s3", region_name="eu-central-1")
    elsewhere.meta.events.register("response-received.s3.ListObjectsV2", note)
    assert elsewhere.list_objects_v2(Bucket=name)["KeyCount"] == 1
    assert answers[0] == (301, "eu-west-1")


def test_mfa_delete(s3: Any, bucket: str) -> None:
    """It is switched only with a code, shown, and protects versions from callers without one; unversioned objects are deleted as before."""
    on = {"Status": "Enabled", "MFADelete": "Enabled"}
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=on)
    s3.put_bucket_versioning(Bucket=bucket, MFA="arn:aws:iam::123456789012:mfa/root 123456", VersioningConfiguration=on)
    assert s3.get_bucket_versioning(Bucket=bucket)["MFADelete"] == "Enabled"

    version = s3.put_object(Bucket=bucket, Key="key", Body=b"new")["VersionId"]
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "key", "VersionId": version}]})
    assert s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "key"}]})["Deleted"]


def test_a_key_by_its_arn(embedded: EmbeddedAws) -> None:
    """Calls that change a KMS key find it by its ARN as by its id."""
    kms = embedded.client("kms")
    arn = kms.create_key()["KeyMetadata"]["Arn"]

    def state() -> str:
        return str(kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"])

    kms.update_key_description(KeyId=arn, Description="d")
    assert kms.describe_key(KeyId=arn)["KeyMetadata"]["Description"] == "d"
    for change, then in (
        (kms.disable_key, "Disabled"),
        (kms.enable_key, "Enabled"),
        (kms.schedule_key_deletion, "PendingDeletion"),
        (kms.cancel_key_deletion, "Disabled"),
    ):
        change(KeyId=arn)
        assert state() == then


def test_the_digest_of_an_image(embedded: EmbeddedAws) -> None:
    """It is that of the manifest, so that two images never share it."""
    ecr, name = embedded.client("ecr"), f"agent-{uuid.uuid4().hex[:8]}"
    ecr.create_repository(repositoryName=name)
    for number in range(3):
        manifest = json.dumps(
            {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [], "number": number}
        )
        pushed = ecr.put_image(repositoryName=name, imageManifest=manifest, imageTag=str(number))["image"]["imageId"]
        assert pushed["imageDigest"] == f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"

"""The services that a deployment uses, through unmodified boto3 over HTTPS."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
import uuid

import psutil
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from fixtures.embedded import EmbeddedAws

TRUST = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
)


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


def test_sts_knows_the_account(embedded: EmbeddedAws) -> None:
    """The registry's key is the account itself."""
    identity = embedded.client("sts").get_caller_identity()

    assert identity["Account"] == embedded.account_id
    assert identity["Arn"] == f"arn:aws:iam::{embedded.account_id}:root"


def test_iam_roles_with_a_path(embedded: EmbeddedAws) -> None:
    """A role is found by its path, and AWS's managed policies exist."""
    iam = embedded.client("iam")
    path, name = f"/{unique('path')}/", unique("role")
    iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=TRUST, Tags=[{"Key": "k", "Value": "v"}])
    iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore")

    assert [role["RoleName"] for role in iam.list_roles(PathPrefix=path)["Roles"]] == [name]


def test_members_that_an_operation_shows_in_its_own_way(embedded: EmbeddedAws) -> None:
    """The first answer and each later one have the same members: by which names moto found them is remembered."""
    iam, ec2, path = embedded.client("iam"), embedded.client("ec2"), f"/{unique('path')}/"
    for name in (unique("role"), unique("role")):
        iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=TRUST, Tags=[{"Key": "k", "Value": "v"}])

        assert iam.get_role(RoleName=name)["Role"]["Tags"] == [{"Key": "k", "Value": "v"}]
        assert all("Tags" not in role for role in iam.list_roles(PathPrefix=path)["Roles"])
    for _ in range(2):
        assert "Tags" not in ec2.create_volume(AvailabilityZone=f"{embedded.region}a", Size=1)


@pytest.mark.parametrize("key", ["plain.txt", "a b/c~d+é=&.txt", "dots/../and//slashes", "100%", "ünïcode/日本"])
def test_s3_objects_of_any_name(embedded: EmbeddedAws, key: str) -> None:
    """An object is read back under any key."""
    s3, bucket = embedded.client("s3"), unique("bucket")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key=key, Body=b"body of " + key.encode())

    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"body of " + key.encode()
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]


def test_what_is_deleted_takes_no_memory(embedded: EmbeddedAws) -> None:
    """An AWS that runs for days holds what exists, not what ever existed."""
    s3, bucket, size = embedded.client("s3"), unique("bucket"), 8 * 1024 * 1024
    daemon = psutil.Process(embedded.registry["pid"])
    s3.create_bucket(Bucket=bucket)

    def come_and_go() -> None:
        s3.put_object(Bucket=bucket, Key="key", Body=bytes(size))
        s3.delete_object(Bucket=bucket, Key="key")

    come_and_go()
    before = daemon.memory_info().rss
    for _ in range(20):
        come_and_go()
    assert daemon.memory_info().rss - before < 8 * size


def test_s3_metadata(embedded: EmbeddedAws) -> None:
    """Names with underscores keep them, and none takes the place of another."""
    s3, bucket = embedded.client("s3"), unique("bucket")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="key", Body=b"body", Metadata={"with_underscore": "1", "with-hyphen": "2"})
    head = s3.head_object(Bucket=bucket, Key="key")

    assert head["Metadata"] == {"with_underscore": "1", "with-hyphen": "2"}
    assert head["ContentLength"] == 4


def test_s3_conditional_writes(embedded: EmbeddedAws) -> None:
    """`IfNoneMatch` lets one writer win."""
    s3, bucket = embedded.client("s3"), unique("bucket")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="lock", Body=b"first", IfNoneMatch="*")

    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="lock", Body=b"second", IfNoneMatch="*")


def test_s3_head_of_what_is_not_there(embedded: EmbeddedAws) -> None:
    """A HEAD is answered without a body, and its status says what is missing."""
    with pytest.raises(ClientError) as refused:
        embedded.client("s3").head_bucket(Bucket=unique("absent"))

    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_s3_presigned_urls(embedded: EmbeddedAws) -> None:
    """A presigned URL gets the object it was made for and no other."""
    # Left alone, boto3 presigns by the old signature version 2, which most AWS regions refuse, and so does this one.
    s3, bucket = embedded.client("s3", config=Config(signature_version="s3v4")), unique("bucket")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="key", Body=b"shared")
    trusted = ssl.create_default_context(cafile=embedded.ca_file)
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "key"})

    with urllib.request.urlopen(url, context=trusted) as got:
        assert got.read() == b"shared"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(url.replace("/key?", "/other?"), context=trusted)


def test_secrets(embedded: EmbeddedAws) -> None:
    """A secret is read back by name and by ARN."""
    secrets, name = embedded.client("secretsmanager"), unique("secret")
    arn = secrets.create_secret(Name=name, SecretString="hidden")["ARN"]

    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "hidden"
    assert secrets.get_secret_value(SecretId=arn)["SecretString"] == "hidden"


@pytest.mark.parametrize(
    "name",
    [
        "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
        "/aws/service/canonical/ubuntu/server/22.04/stable/current/amd64/hvm/ebs-gp2/ami-id",
    ],
)
def test_public_parameters_name_images_that_exist(embedded: EmbeddedAws, name: str) -> None:
    """The AMI ids that a deployment looks up can be launched."""
    image_id = embedded.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    (image,) = embedded.client("ec2").describe_images(ImageIds=[image_id])["Images"]

    assert image["State"] == "available"
    assert image["Architecture"] == "x86_64"


def test_route53(embedded: EmbeddedAws) -> None:
    """A zone holds the records that are put into it."""
    route53, domain = embedded.client("route53"), f"{unique('zone')}.example.com."
    zone = route53.create_hosted_zone(Name=domain, CallerReference=unique("call"))["HostedZone"]["Id"]
    record = {"Name": f"www.{domain}", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "127.64.0.9"}]}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]})

    assert record in route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]


def test_resources_are_found_by_tag(embedded: EmbeddedAws) -> None:
    """The tagging API lists the resources with a tag."""
    bucket, tag = unique("tagged"), unique("deployment")
    s3 = embedded.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "id", "Value": tag}]})
    found = embedded.client("resourcegroupstaggingapi").get_resources(TagFilters=[{"Key": "id", "Values": [tag]}])

    assert [resource["ResourceARN"] for resource in found["ResourceTagMappingList"]] == [f"arn:aws:s3:::{bucket}"]


def test_agentcore_is_this_projects_own(embedded: EmbeddedAws) -> None:
    """Requests signed for bedrock-agentcore reach the control plane; moto has no credential providers."""
    agentcore = embedded.client("bedrock-agentcore-control")
    name = f"own-{uuid.uuid4().hex}"
    agentcore.create_api_key_credential_provider(name=name, apiKey="drawn-for-this-test")
    try:
        pages = agentcore.get_paginator("list_api_key_credential_providers").paginate()
        assert name in [provider["name"] for page in pages for provider in page["credentialProviders"]]
    finally:
        agentcore.delete_api_key_credential_provider(name=name)


def test_what_is_missing_is_named_once(embedded: EmbeddedAws) -> None:
    """An operation that moto lacks is an AWS error with its name and a request id, and one that no client sends again."""
    with pytest.raises(ClientError) as failed:
        embedded.client("ec2").describe_fast_launch_images()

    answer = failed.value.response
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]) == (501, "NotImplemented")
    assert "describe_fast_launch_images" in answer["Error"]["Message"]
    assert answer["ResponseMetadata"]["RequestId"]


def test_every_answer_has_its_own_request_id(embedded: EmbeddedAws) -> None:
    """A request id that a user reports can be found in a log."""
    ec2 = embedded.client("ec2")
    ids = {ec2.describe_vpcs()["ResponseMetadata"]["RequestId"] for _ in range(3)}

    assert len(ids) == 3


def test_agentcore_of_another_region(embedded: EmbeddedAws) -> None:
    """A resource of one region is in no other, and its name is free there."""
    here, there = (embedded.client("bedrock-agentcore-control", region_name=region) for region in (embedded.region, "eu-west-1"))
    name = unique("provider")
    here.create_api_key_credential_provider(name=name, apiKey="for tests")
    assert there.list_api_key_credential_providers()["credentialProviders"] == []
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        there.get_api_key_credential_provider(name=name)
    assert ":eu-west-1:" in there.create_api_key_credential_provider(name=name, apiKey="for tests")["credentialProviderArn"]
    for control in (here, there):
        control.delete_api_key_credential_provider(name=name)


def test_patches_of_an_instance_that_was_never_scanned(embedded: EmbeddedAws) -> None:
    """Patch Manager lists no state of it."""
    assert embedded.client("ssm").describe_instance_patch_states(InstanceIds=["i-0123456789abcdef0"])["InstancePatchStates"] == []

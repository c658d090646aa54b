"""Injected faults look to boto3 as they do on AWS."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from fixtures.embedded import EmbeddedAws

TRUST = '{"Version": "2012-10-17", "Statement": []}'


def refused(call: Callable[[], Any]) -> tuple[str, int]:
    """The error code and status with which AWS refuses a call."""
    with pytest.raises(ClientError) as caught:
        call()
    response = caught.value.response
    assert response["ResponseMetadata"]["RequestId"]
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def shown_soon(look: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if look():
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "code", "status"),
    [
        ("ec2", "describe_vpcs", {}, "RequestLimitExceeded", 503),
        ("s3", "list_buckets", {}, "SlowDown", 503),
        ("iam", "list_policies", {"Scope": "Local"}, "Throttling", 400),
        ("cognito-idp", "list_user_pools", {"MaxResults": 5}, "TooManyRequestsException", 400),
        ("bedrock-agentcore-control", "list_gateways", {}, "ThrottlingException", 429),
        ("route53", "list_hosted_zones", {}, "Throttling", 400),
        ("ec2", "describe_subnets", {}, "InternalError", 500),
    ],
)
def test_a_refusal_of_the_service_itself(
    faulty: EmbeddedAws, service: str, operation: str, arguments: dict[str, Any], code: str, status: int
) -> None:
    """Each service throttles and fails with its own error; the next call is answered."""
    call = getattr(faulty.client(service), operation)
    assert refused(lambda: call(**arguments)) == (code, status)
    assert call(**arguments)["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_quotas(faulty: EmbeddedAws) -> None:
    """A quota is refused with the code of the thing that there are too many of, and nothing is made."""
    ec2 = faulty.client("ec2")
    assert refused(lambda: ec2.allocate_address(Domain="vpc")) == ("AddressLimitExceeded", 400)
    assert ec2.describe_addresses()["Addresses"] == []


def test_no_capacity(faulty: EmbeddedAws) -> None:
    """Only launches of the type in the zone are refused, each with EC2's own error."""
    ec2 = faulty.client("ec2")

    def launch(type_: str, zone: str) -> Any:
        [subnet] = ec2.describe_subnets(Filters=[{"Name": "availability-zone", "Values": [zone]}])["Subnets"]
        interface = {"DeviceIndex": 0, "SubnetId": subnet["SubnetId"]}
        return ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1, InstanceType=type_, NetworkInterfaces=[interface])

    assert refused(lambda: launch("t9.large", "us-east-1a")) == ("InsufficientInstanceCapacity", 500)
    assert refused(lambda: launch("t9.large", "us-east-1b")) == ("Unsupported", 400)
    assert refused(lambda: launch("t3.large", "us-east-1a"))[0].startswith("InvalidAMI")


def test_a_connection_cut_before_and_after(faulty: EmbeddedAws) -> None:
    """The client gets no answer in both cases; only after the commit is there a bucket."""
    s3 = faulty.client("s3")
    with pytest.raises(ConnectionClosedError):
        s3.create_bucket(Bucket="cut-before")
    with pytest.raises(ConnectionClosedError):
        s3.create_bucket(Bucket="cut-after")
    assert refused(lambda: s3.get_bucket_location(Bucket="cut-before")) == ("NoSuchBucket", 404)
    assert s3.get_bucket_location(Bucket="cut-after")["ResponseMetadata"]["HTTPStatusCode"] == 200
    with pytest.raises(ConnectionClosedError):
        faulty.client("bedrock-agentcore-control").list_api_key_credential_providers()


def test_a_server_error_after_the_commit(faulty: EmbeddedAws) -> None:
    """The key pair is there although the answer was a 500."""
    ec2 = faulty.client("ec2")
    assert refused(lambda: ec2.create_key_pair(KeyName="made-in-spite")) == ("InternalError", 500)
    assert [pair["KeyName"] for pair in ec2.describe_key_pairs()["KeyPairs"]] == ["made-in-spite"]


def test_a_fresh_instance_profile(faulty: EmbeddedAws) -> None:
    """EC2 calls it invalid until IAM has spread it, then takes it."""
    iam, ec2 = faulty.client("iam"), faulty.client("ec2")
    image = ec2.describe_images(Owners=["099720109477"])["Images"][0]["ImageId"]
    profile = iam.create_instance_profile(InstanceProfileName="fresh")["InstanceProfile"]["Arn"]

    def launch() -> Any:
        return ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, IamInstanceProfile={"Arn": profile}, InstanceType="t3.micro")

    assert refused(launch) == ("InvalidParameterValue", 400)

    def launched() -> bool:
        try:
            return bool(launch()["Instances"])
        except ClientError:
            return False

    assert shown_soon(launched)


def test_a_fresh_role(faulty: EmbeddedAws) -> None:
    """AgentCore can't assume it yet, and answers a ValidationException; over its quota it reports that instead."""
    role = faulty.client("iam").create_role(RoleName="fresh-gateway", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    gateways = faulty.client("bedrock-agentcore-control")

    def create() -> Any:
        return gateways.create_gateway(name="fresh", roleArn=role, authorizerType="NONE", protocolType="MCP")

    assert refused(create) == ("ServiceQuotaExceededException", 402)
    assert refused(create) == ("ValidationException", 400)


def test_reads_that_lag(faulty: EmbeddedAws) -> None:
    """A fresh security group, role or secret is absent from listings and unknown by its id, and shows up later."""
    ec2, iam, secrets = faulty.client("ec2"), faulty.client("iam"), faulty.client("secretsmanager")
    group = ec2.create_security_group(GroupName="hidden", Description="hidden")["GroupId"]
    iam.create_role(RoleName="hidden", AssumeRolePolicyDocument=TRUST)
    secrets.create_secret(Name="hidden", SecretString="value")

    def groups() -> bool:
        return any(each["GroupId"] == group for each in ec2.describe_security_groups()["SecurityGroups"])

    def roles() -> bool:
        return any(each["RoleName"] == "hidden" for each in iam.list_roles()["Roles"])

    def listed() -> bool:
        return any(each["Name"] == "hidden" for each in secrets.list_secrets()["SecretList"])

    assert refused(lambda: ec2.describe_security_groups(GroupIds=[group])) == ("InvalidGroup.NotFound", 400)
    assert refused(lambda: iam.get_role(RoleName="hidden")) == ("NoSuchEntity", 404)
    assert (groups(), roles(), listed()) == (False, False, False)
    assert secrets.get_secret_value(SecretId="hidden")["SecretString"] == "value"
    assert shown_soon(groups)
    assert shown_soon(roles)
    assert shown_soon(listed)


def test_a_delay(faulty: EmbeddedAws) -> None:
    """The call takes at least as much longer, and is answered."""
    began = time.monotonic()
    assert faulty.client("sts").get_caller_identity()["Account"] == faulty.account_id
    assert time.monotonic() - began >= 0.3


def test_no_faults_by_default(embedded: EmbeddedAws) -> None:
    """A start without rules answers every call, and no HTTP request can switch any on."""
    assert embedded.client("ec2").describe_vpcs()["Vpcs"]
    assert embedded.client("s3").list_buckets()["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_other_rules_while_it_runs(changing: tuple[EmbeddedAws, Path]) -> None:
    """The file's rules apply from the next call on; an unreadable file changes nothing."""
    aws, file = changing
    ec2 = aws.client("ec2")
    assert ec2.describe_vpcs()["Vpcs"]
    replaced(file, json.dumps({"rules": [{"kind": "throttle", "service": "ec2", "operation": "DescribeVpcs"}]}))
    assert refused(ec2.describe_vpcs)[0] == "RequestLimitExceeded"
    replaced(file, "{ not JSON")
    assert refused(ec2.describe_vpcs)[0] == "RequestLimitExceeded"
    replaced(file, json.dumps({"rules": []}))
    assert ec2.describe_vpcs()["Vpcs"]


def replaced(file: Path, text: str) -> None:
    other = file.with_suffix(".other")
    other.write_text(text)
    other.replace(file)


def test_what_was_deleted_lingers(faulty: EmbeddedAws) -> None:
    """A domain is DELETING at first, then not shown, and only later is its prefix free for another pool."""
    cognito = faulty.client("cognito-idp")
    first, second = (cognito.create_user_pool(PoolName=name)["UserPool"]["Id"] for name in ("first", "second"))
    cognito.create_user_pool_domain(UserPoolId=first, Domain="lingers")
    cognito.delete_user_pool_domain(UserPoolId=first, Domain="lingers")

    def described() -> str:
        return str(cognito.describe_user_pool_domain(Domain="lingers")["DomainDescription"].get("Status", "not shown"))

    assert described() == "DELETING"
    taken = refused(lambda: cognito.create_user_pool_domain(UserPoolId=second, Domain="lingers"))
    assert taken == ("InvalidParameterException", 400)
    assert shown_soon(lambda: described() == "not shown")

    def free() -> bool:
        try:
            cognito.create_user_pool_domain(UserPoolId=second, Domain="lingers")
        except ClientError:
            return False
        return True

    assert shown_soon(free)

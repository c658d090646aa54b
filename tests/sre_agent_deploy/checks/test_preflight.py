"""Preflight checks healthy and broken accounts over HTTP before anything is changed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from behaviours import certificates
from fixtures.embedded import EmbeddedAws
from sre_agent_deploy.aws import Aws, Endpoint
from sre_agent_deploy.checks import Finding
from sre_agent_deploy.checks.suite import stops_deployment
from sre_agent_deploy.resource import DEPLOYMENT_TAG
from sre_core.secret import Secret

from .conftest import Preflight

DOMAIN = "sre.example.com"


def code(finding: object) -> str:
    problem = getattr(finding, "problem", None)
    return problem.code if problem else ""


def test_a_healthy_account(check: Preflight, embedded: EmbeddedAws) -> None:
    """Every check of a fresh account passes, and nothing stops the deployment."""
    findings = check(aws={"account_id": embedded.account_id})
    assert {finding.status for finding in findings.values()} == {"passed"}
    assert {"account.credentials", "account.region", "service.agentcore", "ec2.instance_type", "s3.bucket", "ec2.elastic_ips"} <= set(
        findings
    )
    assert not stops_deployment(tuple(findings.values()))


def test_another_account_than_the_configured(check: Preflight) -> None:
    """It is named, it stops the deployment, and nothing else is read from the other account."""
    findings = check(aws={"account_id": "999988887777"})
    assert code(findings["account.credentials"]) == "AWS-OTHER-ACCOUNT"
    assert "999988887777" in findings["account.credentials"].what
    assert list(findings) == ["account.credentials"]
    assert stops_deployment(tuple(findings.values()))


def test_credentials_that_aws_does_not_accept(check: Preflight, embedded: EmbeddedAws) -> None:
    """A wrong secret key is a failed check with a way to sign in, not a traceback and not a warning."""
    endpoint = Endpoint(embedded.endpoint, embedded.ca_file, embedded.registry["access_key_id"], Secret("wrong"))
    findings = check(Aws(region=embedded.region, endpoint=endpoint))
    assert findings["account.credentials"].status == "failed"
    assert code(findings["account.credentials"]) == "AWS-CREDENTIALS"


def test_an_aws_that_does_not_answer(check: Preflight, embedded: EmbeddedAws) -> None:
    """Nothing was seen, so no check passes; the user gets the problem soon, without a long wait."""
    endpoint = Endpoint("https://127.0.0.1:1", embedded.ca_file, "AKIDNOBODY", Secret("nothing"))
    findings = check(Aws(region=embedded.region, endpoint=endpoint))
    assert findings["account.credentials"].status == "unknown"
    assert code(findings["account.credentials"]) == "AWS-UNREACHABLE"


def test_all_that_is_wrong_is_reported_at_once(check: Preflight, embedded: EmbeddedAws, tmp_path: Path) -> None:
    """Bucket, instance type, hosted zone and certificate are all reported, not only the first of them."""
    certificates.written(tmp_path, "other.example.org")
    findings = check(
        aws={"vpc_id": "vpc-00000000", "subnet_id": "subnet-00000000"},
        gateway={"s3_bucket": f"absent-{secrets.token_hex(6)}"},
        backups={"at": "02:30", "bucket": f"absent-{secrets.token_hex(6)}"},
        deployment={
            "instance_type": "t9.xlarge",
            "key_name": "absent",
            "ami_id": "ami-00000000000000000",
            "domain_name": DOMAIN,
            "hosted_zone_id": "Z0123456789ABCDEFGHIJ",
            "ssl_cert_path": str(tmp_path / "fullchain.pem"),
            "ssl_key_path": str(tmp_path / "absent.pem"),
        },
        tls={"source": "files"},
    )
    failed = {name: code(finding) for name, finding in findings.items() if finding.status == "failed"}
    assert failed == {
        "s3.bucket": "S3-NAMED-NOT-FOUND",
        "s3.backups_bucket": "S3-NAMED-NOT-FOUND",
        "ec2.network": "VPC-NOT-FOUND",
        "ec2.instance_type": "INSTANCE-TYPE-NOT-OFFERED",
        "ec2.key_pair": "INSTANCE-KEY-PAIR-NOT-FOUND",
        "ec2.image": "INSTANCE-IMAGE-NOT-FOUND",
        "dns.hosted_zone": "DNS-ZONE-NOT-FOUND",
        "certificate.files": "TLS-FILE-UNREADABLE",
        "certificate.domain": "TLS-NAME-MISSING",
    }
    assert stops_deployment(tuple(findings.values()))


def test_a_certificate_and_a_zone_that_fit(check: Preflight, embedded: EmbeddedAws, tmp_path: Path) -> None:
    """A certificate for the domain and the domain's own zone pass."""
    certificates.written(tmp_path, DOMAIN)
    zone = embedded.client("route53").create_hosted_zone(Name="example.com", CallerReference=secrets.token_hex(8))["HostedZone"]
    findings = check(
        deployment={
            "domain_name": DOMAIN,
            "hosted_zone_id": zone["Id"].rpartition("/")[2],
            "ssl_cert_path": str(tmp_path / "fullchain.pem"),
            "ssl_key_path": str(tmp_path / "privkey.pem"),
            "ssl_ca_path": str(tmp_path / "ca.pem"),
        },
        tls={"source": "files"},
    )
    assert {name: finding.what for name, finding in findings.items() if finding.status != "passed"} == {}
    assert "example.com" in findings["dns.hosted_zone"].what


def test_a_zone_of_another_domain(check: Preflight, embedded: EmbeddedAws) -> None:
    """A zone that does not contain the domain would refuse its record, which is reported before anything is created."""
    zone = embedded.client("route53").create_hosted_zone(Name="example.org", CallerReference=secrets.token_hex(8))["HostedZone"]
    findings = check(deployment={"domain_name": DOMAIN, "hosted_zone_id": zone["Id"].rpartition("/")[2]})
    assert code(findings["dns.hosted_zone"]) == "DNS-ZONE-OTHER-DOMAIN"


def test_what_an_instance_is_started_from(check: Preflight, embedded: EmbeddedAws) -> None:
    """A key pair, an image, a VPC and its subnet that exist pass when they are named; a foreign subnet does not."""
    ec2, key = embedded.client("ec2"), f"key-{secrets.token_hex(4)}"
    ec2.create_key_pair(KeyName=key)
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    subnet = ec2.describe_subnets()["Subnets"][0]
    named = {"key_name": key, "ami_id": image}
    findings = check(aws={"vpc_id": subnet["VpcId"], "subnet_id": subnet["SubnetId"]}, deployment=named)
    assert {findings[name].status for name in ("ec2.network", "ec2.key_pair", "ec2.image")} == {"passed"}
    foreign = check(aws={"vpc_id": subnet["VpcId"], "subnet_id": "subnet-00000000"})["ec2.network"]
    assert code(foreign) == "SUBNET-NOT-FOUND"
    ec2.delete_key_pair(KeyName=key)


@pytest.fixture
def bucket(embedded: EmbeddedAws) -> Iterator[str]:
    """Create a bucket that does not belong to a deployment, and delete it after the test."""
    s3, name = embedded.client("s3"), f"theirs-{secrets.token_hex(6)}"
    s3.create_bucket(Bucket=name)
    yield name
    s3.delete_bucket(Bucket=name)


def test_a_named_bucket_that_is_there(check: Preflight, bucket: str) -> None:
    """A bucket that the user names need not be ours."""
    assert check(gateway={"s3_bucket": bucket})["s3.bucket"].status == "passed"


def test_our_bucket_name_taken_within_the_account(check: Preflight, embedded: EmbeddedAws, aws: Aws) -> None:
    """A bucket with our name and without our tag stops the deployment; with the tag it is the deployment's own."""
    from sre_agent_deploy.account import deployment_id

    id = deployment_id(embedded.account_id, embedded.region, "preflight")
    s3, name = embedded.client("s3"), f"{id}-preflight"
    s3.create_bucket(Bucket=name)
    try:
        assert code(check()["s3.bucket"]) == "S3-BUCKET-NOT-OURS"
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": DEPLOYMENT_TAG, "Value": id}]})
        assert check()["s3.bucket"].status == "passed"
    finally:
        s3.delete_bucket(Bucket=name)


def test_a_full_quota_of_elastic_ips(check: Preflight, embedded: EmbeddedAws) -> None:
    """Without a free address a deployment stops; one that has its address already does not."""
    from sre_agent_deploy.account import deployment_id

    ec2 = embedded.client("ec2")
    allocated = [ec2.allocate_address(Domain="vpc")["AllocationId"] for _ in range(5)]
    try:
        full = check()["ec2.elastic_ips"]
        assert (full.status, code(full)) == ("failed", "ELASTIC-IP-QUOTA")
        ours = {"Key": DEPLOYMENT_TAG, "Value": deployment_id(embedded.account_id, embedded.region, "preflight")}
        ec2.create_tags(Resources=[allocated[0]], Tags=[ours])
        assert check()["ec2.elastic_ips"].status == "passed"
    finally:
        for allocation_id in allocated:
            ec2.release_address(AllocationId=allocation_id)


def test_whether_a_budget_may_be_made(check: Preflight) -> None:
    """AWS Budgets is called if the configuration sets a monthly limit; else no permission for billing is needed."""
    asked = {"limits": {"monthly_usd": 50}, "alerts": {"email": "team@example.com"}}
    assert "service.budgets" not in check()
    assert check(**asked)["service.budgets"].status == "passed"


def test_the_network_of_a_runtime(check: Preflight, embedded: EmbeddedAws) -> None:
    """Private subnets of one VPC in AgentCore's zones pass, with a group that lets out 443; each mistake is named, and all at once."""
    ec2 = embedded.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName=f"runtime-{secrets.token_hex(4)}", Description="r", VpcId=vpc)["GroupId"]
    zones = {zone["ZoneId"]: zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]}
    good, elsewhere = (
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.77.{number}.0/24", AvailabilityZone=zones[zone])["Subnet"]["SubnetId"]
        for number, zone in enumerate(("use1-az1", "use1-az3"))
    )
    table = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"][0]["RouteTableId"]
    # Like that of a NAT instance: a NAT gateway would need an Elastic IP.
    nat = ec2.create_network_interface(SubnetId=good)["NetworkInterface"]["NetworkInterfaceId"]

    def judge(subnets: list[str], groups: list[str]) -> Finding:
        return check(assistant={"runtime": "agentcore", "subnet_ids": subnets, "security_group_ids": groups})["agentcore.network"]

    def why(finding: Finding) -> str:
        assert code(finding) == "RUNTIME-NETWORK-NOT-USABLE"
        assert finding.problem
        return finding.problem.why

    assert "has no route to the internet" in why(judge([good], [group]))
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NetworkInterfaceId=nat)
    assert judge([good], [group]).status == "passed"
    ec2.revoke_security_group_egress(
        GroupId=group, IpPermissions=ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissionsEgress"]
    )
    public = ec2.describe_subnets(
        Filters=[{"Name": "availability-zone-id", "Values": ["use1-az1"]}, {"Name": "default-for-az", "Values": ["true"]}]
    )
    named = why(judge([elsewhere, public["Subnets"][0]["SubnetId"], "subnet-0123456789abcdef0"], [group]))
    for gap in ("does not exist", "more than one VPC", "use1-az3, and AgentCore", "is a public subnet", "does not let out port 443"):
        assert gap in named

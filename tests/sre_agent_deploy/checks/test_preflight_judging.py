"""The decisions of preflight, from facts alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sre_agent_deploy.account.network import Network, Subnet, summarize
from sre_agent_deploy.checks import Finding, Verdict
from sre_agent_deploy.checks.preflight import Caller, ask
from sre_agent_deploy.checks.preflight.account import (
    AGENTCORE_REGIONS,
    CredentialsFacts,
    CredentialsHold,
    RegionFacts,
    RegionFits,
    ServiceFacts,
    service_checks,
)
from sre_agent_deploy.checks.preflight.bucket import BackupsBucketFacts, BackupsBucketUsable, BucketFacts, BucketUsable
from sre_agent_deploy.checks.preflight.domain import CertificateFacts, CertificateHolds, CertificateLasts, HostedZoneFacts, HostedZoneFits
from sre_agent_deploy.checks.preflight.instance import (
    ElasticIpAvailable,
    ElasticIpFacts,
    InstanceTypeFacts,
    InstanceTypeOffered,
    NetworkThere,
)
from sre_agent_deploy.checks.preflight.network import GroupFacts, SecurityGroupUsable
from sre_agent_deploy.checks.suite import stops_deployment
from sre_agent_deploy.config.deployment import Fallback
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.resources.s3_bucket import S3Bucket
from sre_core.problem import Problem
from sre_core.regions import known_regions

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CALLER = Caller("123456789012", "arn:aws:iam::123456789012:user/deployer")


def problem(code: str) -> Problem:
    return Problem(code=code, what="It did not work.", why="For a test.", do=("Nothing.",))


def code(verdict: Verdict) -> str:
    return verdict.problem.code if verdict.problem else ""


def refused(code: str, operation: str = "ListRoles") -> Any:
    def call() -> str:
        response: Any = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 403, "RequestId": "request-1"}}
        raise ClientError(response, operation)

    return call


@pytest.mark.parametrize("aws_code", ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation"])
def test_a_refused_read_names_its_permission(aws_code: str) -> None:
    """The problem names the missing permission, in every form in which a service reports it, with the request's id."""
    answer = ask(refused(aws_code), "iam:ListRoles")
    assert isinstance(answer, Problem)
    assert answer.code == "AWS-PERMISSION-MISSING"
    assert "iam:ListRoles" in answer.do[0]
    assert answer.context["permission"] == "iam:ListRoles"
    assert answer.request_id == "request-1"


def test_a_bucket_that_s3_does_not_let_us_see() -> None:
    """S3 answers 403 for what another account owns: the name is taken; and for what the identity may not list: the advice says both."""
    bucket = S3Bucket(name="bucket", bucket_name="taken")
    answer = ask(refused("403", "HeadBucket"), "s3:ListBucket", subject=bucket, failures=S3Bucket.FAILURES)
    assert isinstance(answer, Problem)
    assert answer.code == "S3-NAME-TAKEN"
    assert "taken-a" in answer.do[0]
    assert "s3:ListBucket" in answer.do[1]


def test_any_account_will_do_where_none_is_configured() -> None:
    """Local mode names no account."""
    assert CredentialsHold().judge(CredentialsFacts(CALLER, "")).holds
    assert CredentialsHold().judge(CredentialsFacts(CALLER, "123456789012")).holds


def test_no_credentials_fail() -> None:
    """Without valid credentials nothing can be deployed, so it is no warning."""
    assert code(CredentialsHold().judge(CredentialsFacts(problem("AWS-CREDENTIALS"), "123456789012"))) == "AWS-CREDENTIALS"


def test_every_listed_region_exists() -> None:
    """The dated table has regions of AWS's only."""
    assert set(known_regions()) >= AGENTCORE_REGIONS


def test_regions() -> None:
    """A region must be of the credentials' partition, and have AgentCore; one that is not listed but answers has it."""
    judge = RegionFits().judge
    assert judge(RegionFacts("eu-central-1", "aws", "aws")).holds
    assert judge(RegionFacts("af-south-1", "aws", "aws")).holds
    assert code(judge(RegionFacts("af-south-1", "aws", "aws", problem("AWS-UNREACHABLE")))) == "AGENTCORE-NOT-IN-REGION"
    assert code(judge(RegionFacts("cn-north-1", "aws-cn", "aws"))) == "AWS-OTHER-PARTITION"


def test_services() -> None:
    """Every service has a cheap read; one that does not answer fails with AWS's own problem."""
    check = service_checks()[0]
    assert check.judge(ServiceFacts()).holds
    assert code(check.judge(ServiceFacts(problem("AWS-UNREACHABLE")))) == "AWS-UNREACHABLE"
    assert len({each.id for each in service_checks()}) == len(service_checks())


CIDR = "10.0.0.0/16"
PUBLIC = Subnet("subnet-1", "a", "internet", gives_addresses=True)


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (Network("r", vpc_id="vpc-1", vpc_cidr=CIDR, subnets=(PUBLIC,)), ""),
        (Network("r", "vpc-1", "subnet-1", (), "vpc-1", CIDR, (PUBLIC, Subnet("subnet-2", "b"))), ""),
        (Network("r", "vpc-1", "subnet-1", (), "vpc-1", CIDR, (Subnet("subnet-1", "a", "internet"),)), ""),
        (Network("r", vpc_id="vpc-1", vpc_cidr=CIDR, subnets=(Subnet("subnet-1", "a", gives_addresses=True),)), "EC2-NO-NETWORK"),
        (Network("r", "vpc-1", "subnet-1", (), "vpc-1", CIDR, (Subnet("subnet-1", "a", gives_addresses=True),)), "SUBNET-NOT-PUBLIC"),
        (Network("r", "vpc-1", "subnet-1", (), "vpc-1", CIDR, (Subnet("subnet-1", "a", "nat"),)), "SUBNET-NOT-PUBLIC"),
        (Network("r"), "EC2-NO-NETWORK"),
        (Network("r", vpc_id="vpc-1", vpc_cidr=CIDR, subnets=(Subnet("subnet-1", "a"),)), "EC2-NO-NETWORK"),
        (Network("r", "vpc-2", "subnet-1"), "VPC-NOT-FOUND"),
        (Network("r", "vpc-1", "subnet-3", (), "vpc-1", CIDR, (PUBLIC,)), "SUBNET-NOT-FOUND"),
        (Network("r", "", "", (Fallback(availability_zone="a"),), "vpc-1", CIDR, (PUBLIC,)), ""),
        (Network("r", "", "", (Fallback(availability_zone="b"),), "vpc-1", CIDR, (PUBLIC, Subnet("subnet-2", "b"))), "SUBNET-NOT-FOUND"),
        (Network("r", "", "", (Fallback(subnet_id="subnet-2"),), "vpc-1", CIDR, (PUBLIC, Subnet("subnet-2", "b"))), "SUBNET-NOT-PUBLIC"),
        (Network("r", "", "subnet-2", (), "vpc-1", CIDR, (Subnet("subnet-2", "us-east-1-bos-1a", "internet"),)), "SUBNET-LOCAL-ZONE"),
        (Network("r", "", "", (), "vpc-1", CIDR, (PUBLIC,), ipv6_wanted=True), "SUBNET-NO-IPV6"),
        (Network("r", "", "", (), "vpc-1", CIDR, (replace(PUBLIC, ipv6=True),), ipv6_wanted=True), ""),
        (
            Network(
                "r", "", "", (Fallback(availability_zone="b"),), "vpc-1", CIDR,
                (replace(PUBLIC, ipv6=True), Subnet("subnet-2", "b", "internet")), ipv6_wanted=True,
            ),
            "SUBNET-NO-IPV6",
        ),
    ],
)  # fmt: skip
def test_networks(network: Network, expected: str) -> None:
    """A VPC is there with the named subnets, or with one that gives public addresses; each has a route to an internet gateway."""
    assert code(NetworkThere().judge(network)) == expected


def test_which_subnets_lead_to_the_internet() -> None:
    """A subnet's own route table counts, else the main one of its VPC; a NAT lets no traffic in, and a blackhole leads nowhere."""

    def table(association: dict[str, object], **route: str) -> dict[str, object]:
        return {"Associations": [association], "Routes": [{"DestinationCidrBlock": "0.0.0.0/0", "State": "active", **route}]}

    tables = [
        table({"Main": True}, GatewayId="igw-1"),
        table({"SubnetId": "nat"}, NatGatewayId="nat-1"),
        table({"SubnetId": "gone"}, GatewayId="igw-1", State="blackhole"),
        table({"SubnetId": "vpn"}, GatewayId="vgw-1"),
        {"Associations": [{"SubnetId": "inside"}], "Routes": [{"DestinationCidrBlock": CIDR, "GatewayId": "local", "State": "active"}]},
        table({"SubnetId": "own"}, GatewayId="igw-1"),
    ]
    subnets = [{"SubnetId": id, "AvailabilityZone": "a"} for id in ("nat", "gone", "vpn", "inside", "own", "main")]
    found = summarize("r", Config(), [{"VpcId": "vpc-1", "CidrBlock": CIDR}], subnets, tables=tables)
    assert {subnet.id: subnet.route for subnet in found.subnets if subnet.route} == {"nat": "nat", "own": "internet", "main": "internet"}


def test_which_subnets_have_ipv6() -> None:
    """One with addresses and a route to the internet gateway; an egress-only gateway lets nothing in."""
    ipv4 = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "active"}
    ways = {"in": {"GatewayId": "igw-1"}, "out": {"EgressOnlyInternetGatewayId": "eigw-1"}, "without": {"GatewayId": "igw-1"}}
    tables = [
        {"Associations": [{"SubnetId": id}], "Routes": [ipv4, {"DestinationIpv6CidrBlock": "::/0", "State": "active", **way}]}
        for id, way in ways.items()
    ]
    block = {"Ipv6CidrBlock": "2001:db8::/64", "Ipv6CidrBlockState": {"State": "associated"}}
    shown = [{"SubnetId": id, "AvailabilityZone": "a", "Ipv6CidrBlockAssociationSet": [block] if id != "without" else []} for id in ways]
    found = summarize("r", Config(), [{"VpcId": "vpc-1", "CidrBlock": CIDR}], shown, tables=tables)
    assert {subnet.id for subnet in found.subnets if subnet.ipv6} == {"in"}


def opened(first: int, last: int = 0, cidr: str = "0.0.0.0/0", protocol: str = "tcp") -> dict[str, object]:
    return {"IpProtocol": protocol, "FromPort": first, "ToPort": last or first, "IpRanges": [{"CidrIp": cidr}]}


HTTPS_IPV6 = {"Ipv6Ranges": [{"CidrIpv6": "::/0"}]}
HTTPS, OUT = opened(443), {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (GroupFacts("sg-1", "vpc-1"), "SECURITY-GROUP-NOT-FOUND"),
        (GroupFacts("sg-1", "vpc-1", "vpc-2", (HTTPS,), (OUT,)), "SECURITY-GROUP-NOT-USABLE"),
        (GroupFacts("sg-1", "vpc-1", "vpc-1", (opened(80),), (OUT,)), "SECURITY-GROUP-NOT-USABLE"),
        (GroupFacts("sg-1", "vpc-1", "vpc-1", (opened(443, cidr="203.0.113.0/24"),), (OUT,)), "SECURITY-GROUP-NOT-USABLE"),
        (GroupFacts("sg-1", "vpc-1", "vpc-1", (HTTPS, opened(8000, 9000)), (OUT,)), "SECURITY-GROUP-NOT-USABLE"),
        (GroupFacts("sg-1", "vpc-1", "vpc-1", (HTTPS, opened(8013)), (OUT,)), "SECURITY-GROUP-NOT-USABLE"),
        (GroupFacts("sg-1", "vpc-1", "vpc-1", (HTTPS, opened(22)), (OUT,)), "SECURITY-GROUP-NOT-USABLE"),
        (GroupFacts("sg-1", "vpc-1", "vpc-1", (OUT,), (OUT,)), "SECURITY-GROUP-NOT-USABLE"),
        (GroupFacts("sg-1", "vpc-1", "vpc-1", (HTTPS,), (opened(443, cidr="10.0.0.0/8"),)), "SECURITY-GROUP-NOT-USABLE"),
        (
            GroupFacts("sg-1", "vpc-1", "vpc-1", (HTTPS, opened(80), opened(8011, 8014, CIDR), opened(22, cidr="203.0.113.0/24")), (OUT,)),
            "",
        ),
        (GroupFacts("sg-1", "vpc-1", "vpc-1", (HTTPS,), (OUT,), ipv6=True), "SECURITY-GROUP-NOT-USABLE"),
        (GroupFacts("sg-1", "vpc-1", "vpc-1", (HTTPS, {**HTTPS, "IpRanges": [], **HTTPS_IPV6}), (OUT,), ipv6=True), ""),
    ],
)
def test_a_named_security_group(facts: GroupFacts, expected: str) -> None:
    """It is in the VPC, lets in 443 from the world and nothing else but 80, and lets the machine out."""
    assert code(SecurityGroupUsable().judge(facts)) == expected


def test_instance_types() -> None:
    """A type that the region does not offer fails."""
    assert InstanceTypeOffered().judge(InstanceTypeFacts("t3.xlarge", "us-east-1", True)).holds
    assert code(InstanceTypeOffered().judge(InstanceTypeFacts("t9.xlarge", "us-east-1", False))) == "INSTANCE-TYPE-NOT-OFFERED"


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (BucketFacts("b", False, "none"), ""),
        (BucketFacts("b", False, "us"), ""),
        (BucketFacts("b", False, "stranger"), "S3-BUCKET-NOT-OURS"),
        (BucketFacts("b", False, "stranger", problem("S3-NAME-TAKEN")), "S3-NAME-TAKEN"),
        (BucketFacts("b", True, "stranger"), ""),
        (BucketFacts("b", True, "us"), ""),
        (BucketFacts("b", True, "none"), "S3-NAMED-NOT-FOUND"),
        (BucketFacts("b", True, "stranger", key="k"), "S3-NAMED-KEY"),
        (BucketFacts("b", True, "stranger", key="k", usable_key="other"), "S3-NAMED-KEY"),
        (BucketFacts("b", True, "stranger", key="k", usable_key="k"), ""),
        (BucketFacts("b", True, "stranger", usable_key="k"), ""),
    ],
)
def test_buckets(facts: BucketFacts, expected: str) -> None:
    """A name must be free or ours, a named bucket must be there, and another account's is taken."""
    verdict = BucketUsable().judge(facts)
    assert code(verdict) == expected
    assert verdict.holds is not bool(expected)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (BackupsBucketFacts("b", "r", "r"), ""),
        (BackupsBucketFacts("b", "", "r"), "S3-NAMED-NOT-FOUND"),
        (BackupsBucketFacts("b", "other", "r"), "S3-NAMED-NOT-FOUND"),
        (BackupsBucketFacts("b", "r", "r", key="k"), "S3-NAMED-KEY"),
    ],
)
def test_the_bucket_of_the_backups(facts: BackupsBucketFacts, expected: str) -> None:
    """It is there, in the region of the deployment, and encrypts by no key that the machine may not use."""
    verdict = BackupsBucketUsable().judge(facts)
    assert code(verdict) == expected
    assert verdict.holds is not bool(expected)
    if facts.key:
        assert verdict.problem
        assert "which backups.bucket names" in verdict.problem.what
        assert "could store no backup" in verdict.problem.why


@pytest.mark.parametrize(
    ("addresses", "holds"),
    [
        (ElasticIpFacts("r", 4, 5, False), True),
        (ElasticIpFacts("r", 5, 5, False), False),
        (ElasticIpFacts("r", 5, 5, True), True),
        (ElasticIpFacts("r", 5, 9, False), True),
    ],
)
def test_elastic_ips(addresses: ElasticIpFacts, holds: bool) -> None:
    """The account's own quota counts, and an address that the deployment has needs no room."""
    assert ElasticIpAvailable().judge(addresses).holds is holds


@pytest.mark.parametrize(
    ("domain", "zone", "private", "expected"),
    [
        ("sre.example.com", "example.com.", False, ""),
        ("SRE.example.com", "Example.com.", False, ""),
        ("example.com", "example.com.", False, ""),
        ("sre.badexample.com", "example.com.", False, "DNS-ZONE-OTHER-DOMAIN"),
        ("example.com", "sre.example.com.", False, "DNS-ZONE-OTHER-DOMAIN"),
        ("sre.example.com", "example.com.", True, "DNS-ZONE-PRIVATE"),
        ("sre.example.com", "", False, "DNS-ZONE-NOT-FOUND"),
    ],
)
def test_hosted_zones(domain: str, zone: str, private: bool, expected: str) -> None:
    """The zone is there, public, and the domain's own or its parent's."""
    assert code(HostedZoneFits().judge(HostedZoneFacts("Z1", domain, zone, private))) == expected


def test_files_with_the_same_fault_are_all_named() -> None:
    """Two files that can't be read are both named, in one finding."""
    check = CertificateHolds("files", "readable", frozenset({"TLS-FILE-UNREADABLE"}))
    verdict = check.judge(
        CertificateFacts("d", (problem("TLS-FILE-UNREADABLE"), problem("TLS-FILE-UNREADABLE"), problem("TLS-EXPIRED")), NOW)
    )
    assert not verdict.holds
    assert verdict.problem
    assert len(verdict.problem.context) == 1


@pytest.mark.parametrize(("days", "holds"), [(31, True), (30, False), (1, False)])
def test_days_left(days: int, holds: bool) -> None:
    """Thirty days before its end the certificate's owner is warned; that stops nothing."""
    facts = CertificateFacts("d", (), NOW, NOW - timedelta(days=60), NOW + timedelta(days=days))
    assert CertificateLasts().judge(facts).holds is holds
    assert not CertificateLasts.required


@pytest.mark.parametrize(
    ("status", "required", "stopping"),
    [("failed", True, True), ("failed", False, False), ("unknown", True, False), ("passed", True, False)],
)
def test_what_stops_a_deployment(status: Any, required: bool, stopping: bool) -> None:
    """Only a required check that looked and failed stops it; what could not be seen is a warning."""
    assert stops_deployment((Finding("x", status, "seen", required=required),)) is stopping

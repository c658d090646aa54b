"""Domains of user pools: one prefix for everybody in a region."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fixtures.acm import import_certificate
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.later import Ref
from sre_agent_deploy.resources.cognito_domain import CustomDomain, UserPoolDomain, broken_rule
from sre_agent_deploy.resources.cognito_user_pool import UserPool
from sre_agent_deploy.resources.route53_record import AliasRecord

from .conftest import Marked
from .life import check_life_cycle, check_repair, create, delete, read, refused

type Certify = Callable[..., str]


def _domain(aws: Aws, marked: Marked, deployment: str) -> UserPoolDomain:
    pool = create(aws, UserPool(name="user_pool", pool_name=f"{deployment}-users"), marked("user_pool"))
    return UserPoolDomain(name="domain", user_pool_id=pool, domain=deployment)


def test_a_domain_from_creation_to_deletion(aws: Aws, marked: Marked, deployment: str) -> None:
    """It is made as declared, found under its pool, and goes without a trace."""
    check_life_cycle(aws, _domain(aws, marked, deployment), marked("domain"))


def test_the_id_of_a_domain(aws: Aws, marked: Marked, deployment: str) -> None:
    """It is known before the domain is: the pool's id and the prefix."""
    domain = _domain(aws, marked, deployment)
    assert domain.natural_id(aws) == create(aws, domain, marked("domain")) == f"{domain.user_pool_id}/{deployment}"


def test_a_domain_that_another_pool_has(aws: Aws, marked: Marked, deployment: str) -> None:
    """It is not adopted, and a creation is refused with a prefix to try."""
    create(aws, _domain(aws, marked, deployment), marked("domain"))
    wanted = _domain(aws, marked, deployment)
    assert UserPoolDomain.read(aws, wanted.natural_id(aws), "domain") is None
    problem = refused(aws, wanted, marked("domain"))
    assert problem.code == "COGNITO-DOMAIN-TAKEN"
    assert f"{deployment}-auth" in problem.do[0]


@pytest.mark.parametrize(
    ("domain", "alternative"),
    [
        ("Team Auth", "team-auth-auth"),
        ("my-aws-team", "my--team-auth"),
        ("-edge-", "edge-auth"),
        ("cognito", "sre-agent-auth"),
        ("amaawszon", "sre-agent-auth"),
        ("x" * 64, "x" * 58 + "-auth"),
    ],
)
def test_a_prefix_against_the_rules(domain: str, alternative: str) -> None:
    """The problem says which rule, and suggests a prefix that keeps them all."""
    wanted = UserPoolDomain(name="domain", user_pool_id="us-east-1_a", domain=domain)
    problem = wanted.FAILURES["CreateUserPoolDomain", "InvalidParameterException"](wanted)
    assert problem.code == "COGNITO-DOMAIN-INVALID"
    assert problem.why == broken_rule(domain)
    assert wanted.alternative() == alternative
    assert not broken_rule(alternative)


def test_a_domain_of_a_pool_to_come(aws: Aws) -> None:
    """While the pool has no id, there is no id to look for."""
    wanted = UserPoolDomain(name="domain", user_pool_id=Ref("user_pool", "user_pool_id"), domain="sre")
    assert wanted.natural_id(aws) == ""


@pytest.fixture
def zone(aws: Aws) -> tuple[str, str]:
    """A hosted zone whose own name has an address, as Cognito demands of a parent: its id and name."""
    name = f"z{secrets.token_hex(4)}.example.com"
    id = aws.client("route53").create_hosted_zone(Name=name, CallerReference=name)["HostedZone"]["Id"].rpartition("/")[2]
    _add_address(aws, id, name)
    return id, name


def _add_address(aws: Aws, zone: str, name: str) -> None:
    record: Any = {"Name": name, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    batch: Any = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
    aws.client("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)


@pytest.fixture
def certificate(aws: Aws, tmp_path: Path) -> Certify:
    """Imports a certificate for a name into Certificate Manager, and returns its ARN."""

    def certify(name: str, region: str = "us-east-1") -> str:
        return import_certificate(aws.in_region(region).client("acm"), name, tmp_path)

    return certify


def _custom(aws: Aws, marked: Marked, deployment: str, name: str, certificate: str) -> CustomDomain:
    pool = create(aws, UserPool(name="user_pool", pool_name=f"{deployment}-users"), marked("user_pool"))
    return CustomDomain(name="custom_domain", user_pool_id=pool, domain=name, certificate_arn=certificate)


def test_a_custom_domain_and_its_record(aws: Aws, marked: Marked, deployment: str, zone: tuple[str, str], certificate: Certify) -> None:
    """It gets ready after a while, changes its certificate in place, and its record leads to its name in CloudFront."""
    name = f"auth.{zone[1]}"
    domain = _custom(aws, marked, deployment, name, certificate(name))
    id = create(aws, domain, marked("custom_domain"))
    check_repair(aws, domain, id, certificate_arn=certificate(f"*.{zone[1]}"))
    target = str(read(aws, domain, id).outputs["cloudfront_domain"])
    assert target.endswith(".cloudfront.net")
    record = AliasRecord(name="custom_domain_record", hosted_zone_id=zone[0], domain=name, address=target)
    check_repair(aws, record, create(aws, record, marked("custom_domain_record")), address="d0000000000000.cloudfront.net")
    delete(aws, record, record.natural_id(aws), deployment)
    check_life_cycle(aws, record, marked("custom_domain_record"))
    delete(aws, domain, id, deployment)


@pytest.mark.parametrize("fault", ["no address above it", "another region", "another name", "no certificate"])
def test_a_custom_domain_that_cognito_refuses(
    aws: Aws, marked: Marked, deployment: str, zone: tuple[str, str], certificate: Certify, fault: str
) -> None:
    """The problem names the address above it and the certificate, with the commands that show which is wrong."""
    name = f"auth.deeper.{zone[1]}" if fault == "no address above it" else f"auth.{zone[1]}"
    certificates = {"another region": (name, "eu-west-1"), "another name": (f"other.{zone[1]}", "us-east-1")}
    arn = certificate(*certificates.get(fault, (name,)))
    if fault == "no certificate":
        arn = f"arn:aws:acm:us-east-1:{aws.account_id}:certificate/1234abcd-12ab-34cd-56ef-1234567890ab"
    problem = refused(aws, _custom(aws, marked, deployment, name, arn), marked("custom_domain"))
    assert problem.code == "COGNITO-CUSTOM-DOMAIN"
    assert f"dig +short {name.partition('.')[2]}" in problem.do[0]
    assert "describe-certificate --region us-east-1" in problem.do[1]

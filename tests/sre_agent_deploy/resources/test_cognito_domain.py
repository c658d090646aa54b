"""Domains of user pools: one prefix for everybody in a region."""

from __future__ import annotations

import pytest

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.later import Ref
from sre_agent_deploy.resources.cognito_domain import UserPoolDomain, broken_rule
from sre_agent_deploy.resources.cognito_user_pool import UserPool

from .conftest import Marked
from .life import born, lives_and_dies, refused


def _domain(aws: Aws, marked: Marked, deployment: str) -> UserPoolDomain:
    pool = born(aws, UserPool(name="user_pool", pool_name=f"{deployment}-users"), marked("user_pool"))
    return UserPoolDomain(name="domain", user_pool_id=pool, domain=deployment)


def test_a_domain_from_birth_to_death(aws: Aws, marked: Marked, deployment: str) -> None:
    """It is made as declared, found under its pool, and goes without a trace."""
    lives_and_dies(aws, _domain(aws, marked, deployment), marked("domain"))


def test_the_id_of_a_domain(aws: Aws, marked: Marked, deployment: str) -> None:
    """It is known before the domain is: the pool's id and the prefix."""
    domain = _domain(aws, marked, deployment)
    assert domain.natural_id(aws) == born(aws, domain, marked("domain")) == f"{domain.user_pool_id}/{deployment}"


def test_a_domain_that_another_pool_has(aws: Aws, marked: Marked, deployment: str) -> None:
    """It is not taken for ours, and its birth is refused with a prefix to try."""
    born(aws, _domain(aws, marked, deployment), marked("domain"))
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

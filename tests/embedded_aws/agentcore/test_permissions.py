"""The permissions of a gateway's role under IAM policies, as far as a gateway uses them."""

from __future__ import annotations

from typing import Any

import pytest

from embedded_aws.policy import allows, trusts_gateway

PROVIDER = "arn:aws:bedrock-agentcore:us-east-1:123456789012:token-vault/default/apikeycredentialprovider/sre"
ACTION = "bedrock-agentcore:GetResourceApiKey"
CONTEXT = {"aws:SourceAccount": "123456789012", "aws:SourceArn": "arn:aws:bedrock-agentcore:us-east-1:123456789012:gateway/sre-0123456789"}


def policy(**statement: Any) -> dict[str, Any]:
    return {"Statement": {"Effect": "Allow", "Action": ACTION, "Resource": PROVIDER, **statement}}


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ({}, True),
        ({"Action": "bedrock-agentcore:Get*"}, True),
        ({"Action": ["s3:*", "BEDROCK-AGENTCORE:getresourceapikey"]}, True),
        ({"Action": "bedrock-agentcore:GetResourceOauth2Token"}, False),
        ({"Resource": PROVIDER.replace("/sre", "/*")}, True),
        ({"Resource": PROVIDER.replace("/sre", "/sr?")}, True),
        ({"Resource": PROVIDER.upper()}, False),
        ({"Resource": PROVIDER.replace("/sre", "")}, False),
        ({"Effect": "Deny"}, False),
        ({"Action": None, "NotAction": "s3:*"}, True),
        ({"Action": None, "NotAction": ACTION}, False),
        ({"Resource": None, "NotResource": PROVIDER}, False),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}}}, True),
        ({"Condition": {"StringEquals": {"AWS:sourceaccount": ["1", "123456789012"]}}}, True),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": "1"}}}, False),
        ({"Condition": {"StringEquals": {"aws:PrincipalTag/team": "sre"}}}, False),
        ({"Condition": {"NumericLessThan": {"aws:SourceAccount": "9"}}}, False),
    ],
)
def test_one_statement(statement: Any, allowed: bool) -> None:
    """Actions regardless of case, resources by wildcard, every condition true; what is not known here allows nothing."""
    given = {key: value for key, value in policy(**statement)["Statement"].items() if value is not None}
    assert allows([{"Statement": [given]}], ACTION, PROVIDER, CONTEXT) is allowed


def test_a_deny_beats_every_allow() -> None:
    """In another statement or another policy."""
    assert not allows([policy(Resource="*"), policy(Effect="Deny", Action="*", Resource="*")], ACTION, PROVIDER, CONTEXT)
    assert not allows([], ACTION, PROVIDER, CONTEXT)


@pytest.mark.parametrize(
    ("statement", "trusted"),
    [
        ({}, True),
        ({"Principal": {"Service": ["ec2.amazonaws.com", "bedrock-agentcore.amazonaws.com"]}}, True),
        ({"Principal": "*"}, True),
        ({"Principal": {"AWS": "*"}}, False),
        ({"Action": "sts:TagSession"}, False),
        ({"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:bedrock-agentcore:us-east-1:123456789012:gateway/sre-*"}}}, True),
        ({"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:bedrock-agentcore:us-east-1:123456789012:gateway/SRE-*"}}}, False),
    ],
)
def test_who_may_assume_the_role(statement: Any, trusted: bool) -> None:
    """Only the service may, for this account and this gateway; a gateway's id is in lower case for any name."""
    usual = {"Effect": "Allow", "Principal": {"Service": "bedrock-agentcore.amazonaws.com"}, "Action": "sts:AssumeRole"}
    assert trusts_gateway({"Statement": [{**usual, **statement}]}, CONTEXT) is trusted

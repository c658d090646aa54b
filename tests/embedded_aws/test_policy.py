"""Resource policies are evaluated by IAM's rules."""

from __future__ import annotations

from typing import Any

import pytest

from embedded_aws.policy import AccessRequest, Verdict, evaluate

ROLE = "arn:aws:sts::123456789012:assumed-role/instance/session"
ASKED = AccessRequest(
    ROLE, "s3:GetObject", "arn:aws:s3:::bucket/a/key", {"aws:securetransport": "true", "s3:tlsversion": "1.3", "aws:principalarn": ROLE}
)


def said(*statements: dict[str, Any]) -> Verdict:
    return evaluate(
        {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", **each} for each in statements]}, ASKED
    )


def test_a_deny_wins_in_any_order() -> None:
    """An explicit deny overrides any allow."""
    allow, deny = {}, {"Effect": "Deny"}

    assert said(allow, deny) is said(deny, allow) is Verdict.DENIED


def test_a_condition_that_is_not_understood() -> None:
    """It allows nothing, and it stops no deny: a fake must not be laxer than AWS."""
    unknown = {"Condition": {"StringSounds": {"aws:PrincipalArn": "*"}}}

    assert said(unknown) is Verdict.SILENT
    assert said({}, {"Effect": "Deny", **unknown}) is Verdict.DENIED


def test_no_statement_says_nothing() -> None:
    """A policy that does not speak of the request leaves it to others."""
    assert said({"Action": "s3:PutObject"}) is Verdict.SILENT


@pytest.mark.parametrize(
    "part",
    [
        {"Action": ["s3:Put*", "S3:GET*"]},
        {"NotAction": "s3:PutObject", "Action": "*"},
        {"Resource": "arn:aws:s3:::bucket/*"},
        {"Resource": "arn:aws:s3:::bucket/?/key"},
        {"Principal": {"AWS": "*"}},
        {"Principal": {"AWS": ["arn:aws:iam::123456789012:root"]}},
        {"Principal": {"AWS": "123456789012"}},
        {"Principal": {"AWS": ROLE}},
        {"Condition": {"Bool": {"aws:SecureTransport": True}}},
        {"Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}}},
        {"Condition": {"NumericGreaterThanEquals": {"s3:TlsVersion": "1.2"}}},
        {"Condition": {"StringNotEquals": {"aws:absent": "x"}}},
        {"Condition": {"Null": {"aws:absent": "true"}}},
        {"Condition": {"ArnLike": {"aws:PrincipalArn": "arn:aws:sts::*:assumed-role/instance/*"}}},
        {"Condition": {"StringEqualsIgnoreCase": {"aws:PrincipalArn": ROLE.upper()}}},
    ],
)
def test_what_applies(part: dict[str, Any]) -> None:
    """Each element is matched as IAM matches it."""
    assert said(part) is Verdict.ALLOWED


@pytest.mark.parametrize(
    "part",
    [
        {"Resource": "arn:aws:s3:::bucket"},
        {"Resource": "arn:aws:s3:::bucke./a/key"},
        {"Principal": {"AWS": "arn:aws:iam::999999999999:root"}},
        {"Principal": {"Service": "ec2.amazonaws.com"}},
        {"Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        {"Condition": {"StringEquals": {"aws:absent": "x"}}},
        {"Condition": {"Null": {"aws:SecureTransport": "true"}}},
        {"Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}}},
        {"Condition": {"Bool": {"aws:SecureTransport": "true"}, "StringEquals": {"aws:absent": "x"}}},
        {"Condition": {"ArnNotLike": {"aws:PrincipalArn": "arn:aws:sts::*:*"}}},
    ],
)
def test_what_does_not_apply(part: dict[str, Any]) -> None:
    """All elements and all conditions must hold."""
    assert said(part) is Verdict.SILENT

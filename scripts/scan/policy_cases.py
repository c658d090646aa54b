"""Make up policies and requests over the grammar of IAM, the same ones for the same seed (pure).

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

ACCOUNT = "123456789012"
USER, ROLE = f"arn:aws:iam::{ACCOUNT}:user/ann", f"arn:aws:iam::{ACCOUNT}:role/deployment/instance"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/instance/i-1"
# Each action with a resource that it can be asked for.
ASKED = (
    ("s3:GetObject", "arn:aws:s3:::reports/2026/ann/a.json"), ("s3:PutObject", "arn:aws:s3:::reports/x"),
    ("s3:ListBucket", "arn:aws:s3:::reports"),
    ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:key-AbCdEf"),
    ("dynamodb:GetItem", f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/sessions"),
    ("sqs:SendMessage", f"arn:aws:sqs:eu-west-1:{ACCOUNT}:jobs"),
)  # fmt: skip
ACTIONS = (
    "*",
    "s3:*",
    "s3:Get*",
    "S3:getobject",
    "s3:?etObject",
    "s3:*Object",
    "s3:ListBucket",
    "secretsmanager:Get*Value",
    "dynamodb:*",
    "sqs:SendMessage",
)
RESOURCES = (
    "*", "arn:aws:s3:::reports", "arn:aws:s3:::reports/*", "arn:aws:s3:::rep*", "arn:aws:s3:::reports/????/*",
    "arn:aws:s3:::reports/*/${aws:username}/*",
    "arn:aws:s3:::Reports/*", "arn:*:s3:::reports/x", "arn:aws:secretsmanager:*:*:secret:key-??????",
    "arn:aws:secretsmanager:us-east-1:123456789012:secret:key",
    f"arn:aws:dynamodb:us-*:{ACCOUNT}:table/*", f"arn:aws:sqs:*:{ACCOUNT}:j?bs", "arn:aws:s3:::reports/${aws:PrincipalTag/team, 'x'}",
)  # fmt: skip
PRINCIPALS: tuple[Any, ...] = (
    "*", {"AWS": "*"}, {"AWS": ACCOUNT}, {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, {"AWS": "999999999999"}, {"AWS": [USER, ROLE]},
    {"AWS": SESSION},
    {"AWS": USER}, {"AWS": ROLE}, {"Service": "ec2.amazonaws.com"}, {"AWS": "999999999999", "Service": ["ec2.amazonaws.com"]},
)  # fmt: skip
TEXTS = ("ann", "Ann", "a*", "a?n", "bob", "${aws:username}", "*", "")
ARNS = (ROLE, USER, SESSION, f"arn:aws:iam::{ACCOUNT}:*", "arn:aws:iam::*:role/*", "arn:*:*:*:*:*", f"arn:aws:iam::{ACCOUNT}:role/deploy*")
NUMBERS, DATES = (
    ("0", "10", "9.5", "300", "-1"),
    ("2026-11-30T12:00:00Z", "2026-11-30", "2020-01-01T00:00:00Z", "2099-12-31T23:59:59Z"),
)
NETWORKS = ("203.0.113.0/24", "203.0.113.9/32", "0.0.0.0/1", "10.0.0.0/8", "2001:db8::/32", "2001:db8::1/128")
# Kinds of operators; keys that have such values; the values that a policy compares with, and those of a request.
KINDS: tuple[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...] = (
    (
        ("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike"),
        ("aws:username", "aws:PrincipalTag/team", "aws:PrincipalTag/stage"), TEXTS, ("ann", "Ann", "bob", "a*n"),
    ),
    (("ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike"), ("aws:PrincipalArn", "aws:SourceArn"), ARNS, (ROLE, USER, SESSION)),
    (("Bool",), ("aws:SecureTransport", "aws:MultiFactorAuthPresent"), ("true", "false", "True"), ("true", "false")),
    (
        ("NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals"),
        ("aws:MultiFactorAuthAge",), NUMBERS, ("0", "10", "300", "9"),
    ),
    (
        ("DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals"),
        ("aws:CurrentTime", "aws:TokenIssueTime"), DATES, ("2026-11-30T12:00:00Z", "2026-11-30T00:00:00Z", "2020-01-01T00:00:00Z"),
    ),
    (("IpAddress", "NotIpAddress"), ("aws:SourceIp",), NETWORKS, ("203.0.113.9", "10.1.2.3", "2001:db8::1")),
)  # fmt: skip
LISTS = ("aws:TagKeys", "aws:CalledVia")
# Each request has these: iam-simulate judges a variable without a value otherwise than AWS describes.
VARIABLES = ("aws:username", "aws:PrincipalTag/team")


@dataclass(frozen=True)
class Case:
    """Policies, and a request that they decide on."""

    principal: str
    action: str
    resource: str
    identity: tuple[Mapping[str, Any], ...]
    boundary: tuple[Mapping[str, Any], ...] | None = None
    resource_policy: Mapping[str, Any] | None = None
    keys: Mapping[str, str | list[str]] = field(default_factory=dict)
    account: str = ACCOUNT


def make_case(random: Random) -> Case:
    """Make up one case; most of its statements are near to its request, so that many apply."""
    principal, (action, resource) = random.choice((USER, SESSION)), random.choice(ASKED)
    keys = {key: value for key, value in make_keys(random).items() if key in VARIABLES or random.random() < 0.7} | list_standing(principal)
    identity = tuple(make_policy(random, action, resource) for _ in range(random.choice((0, 1, 1, 1, 2))))
    boundary = (make_policy(random, action, resource),) if random.random() < 0.3 else None
    of_resource = make_policy(random, action, resource, principal) if random.random() < 0.3 else None
    return Case(principal, action, resource, identity, boundary, of_resource, keys)


def make_keys(random: Random) -> dict[str, str | list[str]]:
    """Make up the keys of a request that it may also lack."""
    keys: dict[str, str | list[str]] = {key: random.choice(asked) for _, names, _, asked in KINDS for key in names}
    return keys | {key: random.sample(("ann", "Ann", "bob"), random.randint(0, 3)) for key in LISTS}


def list_standing(principal: str) -> dict[str, str | list[str]]:
    """List the keys that each request has."""
    accounts: dict[str, str | list[str]] = {"aws:PrincipalAccount": ACCOUNT, "aws:ResourceAccount": ACCOUNT}
    return accounts | {
        "aws:PrincipalArn": principal if principal == USER else ROLE,
        "aws:SecureTransport": "true",
        "aws:ViaAWSService": "false",
    }


def make_policy(random: Random, action: str, resource: str, principal: str = "") -> dict[str, Any]:
    """Make up one policy; that of a resource where a principal is named."""
    statements = [make_statement(random, action, resource, principal) for _ in range(random.choice((1, 1, 2, 3)))]
    return {"Version": "2012-10-17", "Statement": statements if len(statements) > 1 or random.random() < 0.5 else statements[0]}


def make_statement(random: Random, action: str, resource: str, principal: str) -> dict[str, Any]:
    """Make up one statement."""
    made: dict[str, Any] = {"Effect": random.choice(("Allow", "Allow", "Allow", "Deny"))}
    if principal:
        # AWS advises against NotPrincipal with Allow.
        no = random.random() < 0.15 and made["Effect"] == "Deny"
        made["NotPrincipal" if no else "Principal"] = random.choice((*PRINCIPALS, {"AWS": principal}))
    made[random.choice(("Action", "Action", "Action", "NotAction"))] = _one_or_more(
        random, lambda: random.choice((*ACTIONS, *[action] * 8))
    )
    made[random.choice(("Resource", "Resource", "Resource", "NotResource"))] = _one_or_more(
        random, lambda: random.choice((*RESOURCES, *[resource] * 8))
    )
    if conditions := dict(make_condition(random) for _ in range(random.choice((0, 0, 1, 1, 2)))):
        made["Condition"] = conditions
    return made


def make_condition(random: Random) -> tuple[str, dict[str, Any]]:
    """Make up one operator with one or two keys."""
    if random.random() < 0.1:
        return "Null", {random.choice(("aws:username", "aws:TagKeys", "aws:SourceIp")): random.choice(("true", "false"))}
    operators, keys, values, _ = random.choice(KINDS)
    operator = random.choice(operators) + random.choice(("", "", "IfExists"))
    if operators[0] == "StringEquals" and random.random() < 0.4:
        keys, operator = LISTS, random.choice(("ForAllValues:", "ForAnyValue:")) + operator
    chosen = random.sample(keys, random.randint(1, min(2, len(keys))))
    return operator, {random.choice((key, key, key.lower())): _one_or_more(random, lambda: random.choice(values)) for key in chosen}


def _one_or_more(random: Random, make: Callable[[], str]) -> str | list[str]:
    return make() if random.random() < 0.6 else [make() for _ in range(random.randint(1, 3))]

"""The simulation of policies: what IAM says an identity may do."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest

from fixtures.embedded import EmbeddedAws

type Json = dict[str, Any]


def test_what_a_role_may_do(embedded: EmbeddedAws) -> None:
    """Each action on each resource is decided by policies and boundary together; keys that a policy looks at are named."""
    iam, name = embedded.client("iam"), f"role-{secrets.token_hex(5)}"

    def document(*statements: Json) -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})

    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    mine, theirs = "arn:aws:s3:::mine/*", "arn:aws:s3:::theirs/*"
    only = {"StringEquals": {"aws:ResourceAccount": embedded.account_id}}
    statements: list[Json] = [
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": mine, "Condition": only},
        {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*"},
    ]
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(*statements))
    here = [{"ContextKeyName": "aws:ResourceAccount", "ContextKeyValues": [embedded.account_id], "ContextKeyType": "string"}]

    def decide(**more: Any) -> dict[tuple[str, str], str]:
        asked = {"ActionNames": ["s3:GetObject", "s3:PutObject"], "ResourceArns": [mine, theirs], "ContextEntries": here, **more}
        answer = iam.simulate_principal_policy(PolicySourceArn=role, **asked)
        return {(each["EvalActionName"], each["EvalResourceName"]): each["EvalDecision"] for each in answer["EvaluationResults"]}

    assert decide() == {
        ("s3:GetObject", mine): "allowed",
        ("s3:GetObject", theirs): "implicitDeny",
        ("s3:PutObject", mine): "explicitDeny",
        ("s3:PutObject", theirs): "explicitDeny",
    }
    bare = iam.simulate_principal_policy(PolicySourceArn=role, ActionNames=["s3:GetObject"], ResourceArns=[mine])["EvaluationResults"]
    assert [(each["EvalDecision"], each["MissingContextValues"]) for each in bare] == [("implicitDeny", ["aws:ResourceAccount"])]
    nothing = iam.create_policy(PolicyName=name, PolicyDocument=document({"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}))
    iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=nothing["Policy"]["Arn"])
    assert decide()[("s3:GetObject", mine)] == "implicitDeny"
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.simulate_principal_policy(PolicySourceArn=f"{role}-absent", ActionNames=["s3:GetObject"])
    with pytest.raises(iam.exceptions.InvalidInputException):
        decide(ResourcePolicy=document())


def test_a_boundary_that_is_no_policy(embedded: EmbeddedAws) -> None:
    """Neither a new role nor one that is there gets it."""
    iam, name = embedded.client("iam"), f"role-{secrets.token_hex(5)}"
    absent = {"PermissionsBoundary": f"arn:aws:iam::{embedded.account_id}:policy/absent"}
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}", **absent)
    iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.put_role_permissions_boundary(RoleName=name, **absent)
    assert "PermissionsBoundary" not in iam.get_role(RoleName=name)["Role"]

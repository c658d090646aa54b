"""Ask of each policy that a deployment really has what it allows, and what is near to that and must be refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
from scripts.scan import subject
from scripts.scan.policy_cases import ACCOUNT, USER, Case, list_standing

# Asked of each policy: what a stolen credential would be tried for.
_TRIED = (
    ("s3:GetObject", "arn:aws:s3:::of-another/x"),
    ("s3:PutBucketPolicy", "arn:aws:s3:::of-another"),
    ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:of-another-AbCdEf"),
    ("kms:Decrypt", f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"),
    ("iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/new"),
    ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/admin"),
    ("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/admin"),
)


def list_cases(deployed: subject.Deployed, folder: Path) -> Iterator[tuple[str, Case]]:
    """List requests of each policy: of the roles and the bucket of a local deployment, and of the identity that deploys in production."""
    for name, policy in read_policies(deployed, folder):
        for number, case in enumerate(list_requests(policy)):
            yield f"{name}/{number}", case


def read_policies(deployed: subject.Deployed, folder: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Read the policies as AWS has them."""
    for file in subject.write_policies(folder):
        policy = json.loads(file.read_text())
        # CloudFormation's functions are no values; the roles come from the local AWS.
        if "filled-in" not in json.dumps(policy):
            yield file.stem, policy
    registry = deployed.registry
    session = boto3.Session(registry["access_key_id"], registry["secret_access_key"], region_name=registry["region"])
    iam, s3 = (session.client(name, endpoint_url=registry["endpoint"], verify=registry["ca_file"]) for name in ("iam", "s3"))
    for role in iam.list_roles()["Roles"]:
        for name in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]:
            yield f"{role['RoleName']}-{name}", iam.get_role_policy(RoleName=role["RoleName"], PolicyName=name)["PolicyDocument"]
    for bucket in s3.list_buckets()["Buckets"]:
        yield bucket["Name"], json.loads(s3.get_bucket_policy(Bucket=bucket["Name"])["Policy"])


def list_requests(policy: Mapping[str, Any]) -> Iterator[Case]:
    """List what each statement speaks of: with the keys that it asks for and without, on its resources and on their neighbours."""
    for statement in _as_list(policy["Statement"]):
        keys = dict(_list_keys(statement))
        for action in map(_fill, _as_list(statement.get("Action", ()))):
            for resource in map(_fill_arn, _as_list(statement.get("Resource", ()))):
                for asked in (resource, f"{resource}-of-another") if resource != "*" else (resource,):
                    yield _make_case(policy, action, asked, keys)
                if keys:
                    yield _make_case(policy, action, resource, {})
                    yield _make_case(policy, action, resource, {key: _other(value) for key, value in keys.items()})
    for action, resource in _TRIED:
        yield _make_case(policy, action, resource, {})


def _make_case(policy: Mapping[str, Any], action: str, resource: str, keys: Mapping[str, str | list[str]]) -> Case:
    of_resource = any("Principal" in statement for statement in _as_list(policy["Statement"]))
    identity, standing = (() if of_resource else (policy,)), list_standing(USER)
    return Case(USER, action, resource, identity, resource_policy=policy if of_resource else None, keys={**standing, **keys, **standing})


def _list_keys(statement: Mapping[str, Any]) -> Iterator[tuple[str, str | list[str]]]:
    """List keys that meet the conditions of a statement, as far as values can: not for Null, and not for what is negated."""
    for operator, keys in statement.get("Condition", {}).items():
        for key, value in keys.items():
            if operator != "Null" and "Not" not in operator:
                first = _fill(str(_as_list(value)[0]))
                yield key, [first] if operator.startswith("For") else first


def _other(value: str | list[str]) -> str | list[str]:
    return [f"{each}-other" for each in value] if isinstance(value, list) else f"{value}-other"


def _fill(pattern: str) -> str:
    return pattern.replace("*", "x").replace("?", "x")


def _fill_arn(pattern: str) -> str:
    """Name one resource that a pattern is for; all of them where the action knows no single one."""
    parts = pattern.split(":", 5)
    if len(parts) < 6:
        return pattern
    region, account = ("us-east-1" if parts[3] == "*" else parts[3], ACCOUNT if parts[4] == "*" else parts[4])
    return ":".join((*parts[:3], region, account, _fill(parts[5])))


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]

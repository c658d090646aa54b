"""Read IAM's state inside the process: who there is, and which policies are in force for each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

_PARTITION = "aws"

type Policy = Mapping[str, Any]


def role_exists(account_id: str, arn: str) -> bool:
    """Return whether IAM has a role of this ARN."""
    return _role(account_id, arn) is not None


def role_arn(account_id: str, name: str) -> str:
    """Return the ARN of a role by its name; empty where it is absent."""
    return next((str(role.arn) for role in _iam(account_id).get_roles() if role.name == name), "")


def principal_arn(account_id: str, caller: str) -> str:
    """Return the ARN that policies see as aws:PrincipalArn: of a session it is its role's, of any other caller the caller's own.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalarn
    """
    kind, _, session = caller.rpartition(":")[2].partition("/")
    return role_arn(account_id, session.partition("/")[0]) if kind == "assumed-role" else caller


def profile_arn(account_id: str, name: str) -> str:
    """Return the ARN of an instance profile by its name; empty where it is absent."""
    profiles = _iam(account_id).instance_profiles.values()
    return next((str(profile.arn) for profile in profiles if profile.name == name), "")


def role_of_profile(account_id: str, profile_arn: str) -> str | None:
    """Return the ARN of the role in an instance profile; None where either is absent."""
    profiles = _iam(account_id).instance_profiles.values()
    return next((str(role.arn) for profile in profiles if profile.arn == profile_arn for role in profile.roles), None)


def user_exists(account_id: str, name: str) -> bool:
    """Return whether IAM has a user of this name."""
    return name in _iam(account_id).users


def trust_policy(account_id: str, role_arn: str) -> Policy | None:
    """Return the trust policy of a role; None where the role is absent."""
    role = _role(account_id, role_arn)
    return _document(role.assume_role_policy_document) if role is not None else None


def role_policies(account_id: str, role_arn: str) -> tuple[Policy, ...]:
    """Return the inline and attached policies of a role that are in force now."""
    role = _role(account_id, role_arn)
    return _policies(role) if role is not None else ()


def role_boundary(account_id: str, role_arn: str) -> tuple[Policy, ...] | None:
    """Return the permissions boundary of a role; None where it has none. One that does not exist any more allows nothing."""
    arn = role_boundary_arn(account_id, role_arn)
    if not arn:
        return None
    boundary = _iam(account_id).managed_policies.get(arn)
    return (_default_version(boundary),) if boundary else ()


def role_boundary_arn(account_id: str, role_arn: str) -> str:
    """Return the ARN of the permissions boundary of a role; empty where the role is absent or has none."""
    role = _role(account_id, role_arn)
    return (role.permissions_boundary_arn or "") if role is not None else ""


def policy_exists(account_id: str, arn: str) -> bool:
    """Return whether IAM has a managed policy of this ARN, the account's own or Amazon's."""
    return arn in _iam(account_id).managed_policies


def session_policy(account_id: str, access_key_id: str) -> tuple[Policy, ...] | None:
    """Return the policy that was given when a role was assumed; None where none was."""
    from moto.sts.models import sts_backends

    session = sts_backends[account_id][_PARTITION].get_assumed_role_from_access_key(access_key_id)
    return (_document(session.policy),) if session and session.policy else None


def user_policies(account_id: str, name: str) -> tuple[Policy, ...]:
    """Return the policies of a user and of its groups that are in force now."""
    iam = _iam(account_id)
    user = iam.users.get(name)
    if user is None:
        return ()
    groups = (group for group in iam.groups.values() if user in group.users)
    return tuple(policy for holder in (user, *groups) for policy in _policies(holder))


def _policies(holder: Any) -> tuple[Policy, ...]:
    attached = (_default_version(policy) for policy in holder.managed_policies.values())
    return (*(_document(text) for text in holder.policies.values()), *attached)


def _default_version(managed: Any) -> Policy:
    return _document(next(version.document for version in managed.versions if version.version_id == managed.default_version_id))


def _role(account_id: str, role_arn: str) -> Any:
    return next((role for role in _iam(account_id).get_roles() if role.arn == role_arn), None)


def _iam(account_id: str) -> Any:
    from moto.iam.models import iam_backends

    return iam_backends[account_id][_PARTITION]


def _document(text: str | Policy) -> Policy:
    if not isinstance(text, str):
        return text
    return _parse(text)


@lru_cache(maxsize=1024)
def _parse(text: str) -> Policy:
    # IAM stores documents as they were sent; some clients send them percent-encoded.
    parsed: Policy = json.loads(text if text.lstrip().startswith("{") else unquote(text))
    return parsed

"""User pools: known by their tag alone, closed from their first moment."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import attempt
from sre_agent_deploy.resources.cognito_user_pool import UserPool
from sre_core.problem import Problem

from .conftest import Marked
from .life import check_life_cycle, check_repair, create, drift, read


@pytest.fixture
def pool(deployment: str) -> UserPool:
    return UserPool(name="user_pool", pool_name=f"{deployment}-users")


def test_a_pool_from_creation_to_deletion(aws: Aws, marked: Marked, pool: UserPool) -> None:
    """It is made as declared, found by its tags, and goes without a trace."""
    check_life_cycle(aws, pool, marked("user_pool"))


def test_a_pool_before_it_is_configured(aws: Aws, marked: Marked, pool: UserPool) -> None:
    """Self-registration is off from the first moment."""
    described = aws.client("cognito-idp").describe_user_pool(UserPoolId=pool.create(aws, marked("user_pool")))["UserPool"]
    assert described["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] is True


def test_the_outputs_of_a_pool(aws: Aws, marked: Marked, pool: UserPool) -> None:
    """The issuer is where this AWS's Cognito answers, and the discovery document is under it."""
    id = create(aws, pool, marked("user_pool"))
    outputs = read(aws, pool, id).outputs
    assert outputs["issuer"] == f"{aws.client('cognito-idp').meta.endpoint_url}/{id}"
    assert outputs["discovery_url"] == f"{outputs['issuer']}/.well-known/openid-configuration"
    assert str(outputs["arn"]).endswith(f":userpool/{outputs['user_pool_id']}")


@pytest.mark.parametrize(
    "changed",
    [{"mfa": "OFF"}, {"mfa": "ON", "password_length": 20, "self_registration": True}],
    ids=str,
)
def test_a_pool_that_differs(aws: Aws, marked: Marked, pool: UserPool, changed: dict[str, Any]) -> None:
    """MFA, password policy and registration become what is declared, in place."""
    check_repair(aws, pool, create(aws, pool, marked("user_pool")), **changed)


def test_a_weakened_password_policy(aws: Aws, marked: Marked, pool: UserPool) -> None:
    """A policy that is long enough and asks for lowercase letters only counts as different."""
    id = create(aws, pool, marked("user_pool"))
    aws.client("cognito-idp").update_user_pool(UserPoolId=id, Policies={"PasswordPolicy": {"MinimumLength": 14, "RequireLowercase": True}})
    assert "password_kinds" in {entry.field for entry in drift(aws, pool, id)}
    pool.configure(aws, id)
    assert drift(aws, pool, id) == ()


def test_mfa_without_authenticator_apps(aws: Aws, marked: Marked, pool: UserPool) -> None:
    """Codes by SMS are not the second factor that was declared."""
    id = create(aws, pool, marked("user_pool"))
    sms: Any = {"SmsConfiguration": {"SnsCallerArn": f"arn:aws:iam::{aws.account_id}:role/sms"}}
    aws.client("cognito-idp").set_user_pool_mfa_config(UserPoolId=id, MfaConfiguration="OPTIONAL", SmsMfaConfiguration=sms)
    assert [str(entry) for entry in drift(aws, pool, id)] == ["mfa: OPTIONAL with text messages -> OPTIONAL"]


def test_settings_of_a_pool_that_are_not_ours(aws: Aws, marked: Marked, pool: UserPool) -> None:
    """Configuring keeps settings of another owner, and the tags: UpdateUserPool alone would reset them."""
    mark = marked("user_pool")
    id = create(aws, pool, mark)
    invitation: Any = {"InviteMessageTemplate": {"EmailSubject": "Join us"}}
    aws.client("cognito-idp").update_user_pool(
        UserPoolId=id, EmailVerificationSubject="Welcome", AdminCreateUserConfig=invitation, UserPoolTags=mark.tags()
    )
    pool.configure(aws, id)
    described = aws.client("cognito-idp").describe_user_pool(UserPoolId=id)["UserPool"]
    assert described["EmailVerificationSubject"] == "Welcome"
    assert described["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True, **invitation}
    assert [(owned.id, owned.name) for owned in UserPool.owned(aws, mark.deployment)] == [(id, "user_pool")]


def _as_declared(aws: Aws, id: str) -> Any:
    """Return what an update by hand must repeat."""
    seen = aws.client("cognito-idp").describe_user_pool(UserPoolId=id)["UserPool"]
    return {key: seen[key] for key in ("Policies", "AdminCreateUserConfig", "AccountRecoverySetting", "UserPoolTags", "MfaConfiguration")}  # type: ignore[literal-required]


def test_a_pool_of_the_same_name(aws: Aws, marked: Marked, pool: UserPool, deployment: str) -> None:
    """A pool is ours by its tag; one that only has our name is not."""
    id = create(aws, pool, marked("user_pool"))
    aws.client("cognito-idp").create_user_pool(PoolName=pool.pool_name)
    assert [(owned.id, owned.name) for owned in UserPool.owned(aws, deployment)] == [(id, "user_pool")]


def test_a_protected_pool(aws: Aws, marked: Marked, pool: UserPool) -> None:
    """Deletion protection may have a reason: a plan shows it, and neither an update nor a deletion switches it off."""
    mark = marked("user_pool")
    id = create(aws, pool, mark)
    aws.client("cognito-idp").update_user_pool(UserPoolId=id, DeletionProtection="ACTIVE", **_as_declared(aws, id))
    assert [str(entry) for entry in drift(aws, pool, id)] == ["deletion_protection: True (stays)"]
    replace(pool, password_length=20).configure(aws, id)
    problem = attempt(lambda: UserPool.delete(aws, id), failures=UserPool.FAILURES)
    assert isinstance(problem, Problem)
    assert problem.code == "COGNITO-POOL-PROTECTED"


def test_deleting_a_pool_twice(aws: Aws, marked: Marked, pool: UserPool) -> None:
    """Deleting it again changes nothing."""
    id = create(aws, pool, marked("user_pool"))
    UserPool.delete(aws, id)
    UserPool.delete(aws, id)
    assert UserPool.read(aws, id, "user_pool") is None

"""AWS::Cognito::UserPool"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none, update_fields
from sre_agent_deploy.resource import DEPLOYMENT_TAG, CfnResource, Defaults, Failures, Found, Mark, Owned, Steps, TagChanges, Waiting, cfn
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_KINDS = ("Lowercase", "Numbers", "Symbols", "Uppercase")
_RECOVERY_IN_CONSOLE: Mapping[tuple[str, ...], str] = {
    ("verified_email",): "Self-service account recovery enabled, delivery method: Email only",
    ("admin_only",): "Self-service account recovery disabled",
}
_DISCOVERY = "/.well-known/openid-configuration"


_FEW = 60
"""Pools that are asked for their tags one by one: Cognito lists as many on a page."""


@dataclass(frozen=True, kw_only=True)
class UserPool(Defaults):
    """Issues the tokens that the gateway and the assistant accept. Only an administrator adds people to it."""

    KIND: ClassVar[str] = "AWS::Cognito::UserPool"
    # A second pool of the same name succeeds, so one that is not listed yet must not be created again too soon.
    SETTLES: ClassVar[timedelta] = timedelta(seconds=30)
    BLOCKERS: ClassVar[frozenset[tuple[str, str]]] = frozenset({("DeleteUserPool", "InvalidParameterException")})
    LOSES: ClassVar[str] = "data"
    EXEMPT: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("deletion_protection", "triggers"), "a new pool has none; what is added by hand is shown by a plan"
    )
    PROTECTIONS: ClassVar[Mapping[str, str]] = {"deletion_protection": "its deletion protection, which was switched on by hand, stays on"}
    NOT_COMPARED: ClassVar[Mapping[str, str]] = {
        "texts of messages, branding": "they change what people read, not who is let in",
    }
    MOST_TAGS: ClassVar[int] = 50
    ID_FROM_AWS: ClassVar[bool] = True
    CONFIGURED_BY: ClassVar[str] = "credentials.user_pool_id"

    name: str
    pool_name: str
    mfa: str = "OPTIONAL"
    password_length: int = 14
    password_kinds: tuple[str, ...] = ("Lowercase", "Numbers", "Symbols", "Uppercase")
    temporary_days: int = 1
    self_registration: bool = False
    recovery: tuple[str, ...] = ("verified_email",)
    triggers: tuple[str, ...] = ()
    deletion_protection: bool = False

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        # A listing shows no tags. Our pool names begin with the deployment's id; among a few pools, those of other names are asked too.
        listed = _list_pools(aws)
        pools = [pool for pool in listed if len(listed) <= _FEW or pool["Name"].startswith(deployment)]
        tagged = [(pool, _describe_pool(aws, pool["Id"]).get("UserPoolTags", {})) for pool in pools]
        ours = [(pool, tags) for pool, tags in tagged if tags.get(DEPLOYMENT_TAG) == deployment]
        return tuple(Owned.tagged(pool["Id"], tags, pool["CreationDate"]) for pool, tags in ours)

    @classmethod
    def deployments(cls, aws: Aws) -> Iterable[str]:
        return (pool["Name"] for pool in _list_pools(aws))

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        pool = _describe_pool(aws, id)
        if not pool:
            return None
        policy = pool.get("Policies", {}).get("PasswordPolicy", {})
        issuer = f"{aws.client('cognito-idp').meta.endpoint_url}/{id}"
        seen = cls(
            name=name,
            pool_name=pool["Name"],
            mfa=_mfa(aws, id),
            password_length=int(policy.get("MinimumLength", 0)),
            password_kinds=tuple(kind for kind in _KINDS if policy.get(f"Require{kind}")),
            temporary_days=int(policy.get("TemporaryPasswordValidityDays", 0)),
            triggers=tuple(sorted(pool.get("LambdaConfig", {}))),
            deletion_protection=pool.get("DeletionProtection") == "ACTIVE",
            recovery=_recovery(pool),
            self_registration=not pool.get("AdminCreateUserConfig", {}).get("AllowAdminCreateUserOnly", False),
        )
        outputs = {"user_pool_id": id, "arn": pool["Arn"], "issuer": issuer, "discovery_url": issuer + _DISCOVERY}
        return Found(id, seen, outputs, pool.get("UserPoolTags", {}))

    def create(self, aws: Aws, mark: Mark) -> str:
        # Closed from the first moment: self-registration is off even before `configure`.
        answer = aws.client("cognito-idp").create_user_pool(PoolName=self.pool_name, UserPoolTags=mark.tags(), **self._settings())
        return answer["UserPool"]["Id"]

    def configure(self, aws: Aws, id: str) -> None:
        # First, because UpdateUserPool accepts MFA without SMS only where software tokens are on already. OFF is refused beside a method.
        methods: Any = {} if self.mfa == "OFF" else {"SoftwareTokenMfaConfiguration": {"Enabled": True}}
        aws.client("cognito-idp").set_user_pool_mfa_config(UserPoolId=id, MfaConfiguration=self._mfa(), **methods)
        seen = _describe_pool(aws, id)
        settings = self._settings()
        invitation = {"InviteMessageTemplate": seen.get("AdminCreateUserConfig", {}).get("InviteMessageTemplate")}
        settings["AdminCreateUserConfig"] |= {key: text for key, text in invitation.items() if text}
        settings["Policies"] = seen.get("Policies", {}) | settings["Policies"]
        kept = update_fields(aws.client("cognito-idp"), "UpdateUserPool", seen)
        # A function that was attached by hand could add to the tokens, or let people in.
        removed: Any = {"LambdaConfig": {}} if seen.get("LambdaConfig") else {}
        aws.client("cognito-idp").update_user_pool(UserPoolId=id, PoolName=self.pool_name, **(kept | settings | removed))

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        arn = _describe_pool(aws, id).get("Arn", "")
        if changes.set:
            aws.client("cognito-idp").tag_resource(ResourceArn=arn, Tags=changes.set)
        if changes.remove:
            aws.client("cognito-idp").untag_resource(ResourceArn=arn, TagKeys=changes.remove)

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        or_none(lambda: aws.client("cognito-idp").delete_user_pool(UserPoolId=id), ("ResourceNotFoundException",))

    @classmethod
    def blockers(cls, aws: Aws, id: str, code: str) -> Waiting | Problem | None:
        pool = _describe_pool(aws, id)
        return _protected(id, pool.get("UserPoolTags", {})) if pool.get("DeletionProtection") == "ACTIVE" else None

    def console(self) -> Steps:
        return (
            "Amazon Cognito > User pools > Create user pool",
            "Application type: Machine-to-machine application (delete the app client it adds; a later step makes ours)",
            f"Overview > Rename user pool: {self.pool_name}",
            f"Authentication > Authentication methods > Password policy > Custom: minimum length {self.password_length}; "
            f"contains {', '.join(self.password_kinds)}; temporary passwords expire in {self.temporary_days} day(s)",
            "Authentication > Sign-in > Multi-factor authentication: "
            + ("OFF" if self.mfa == "OFF" else f"{self.mfa}, methods: Authenticator apps"),
            f"Authentication > Sign-in > User account recovery: {_RECOVERY_IN_CONSOLE[self.recovery]}",
            f"Authentication > Sign-up > Self-service sign-up: {'Enabled' if self.self_registration else 'Disabled'}",
        )

    def template(self) -> CfnResource:
        return cfn(
            self.KIND,
            {"user_pool_id": "Ref", "arn": "Arn", "issuer": "ProviderURL", "discovery_url": "${ProviderURL}" + _DISCOVERY},
            UserPoolName=self.pool_name,
            MfaConfiguration=self.mfa,
            EnabledMfas=() if self.mfa == "OFF" else ("SOFTWARE_TOKEN_MFA",),
            **self._settings(),
        )

    def _mfa(self) -> Any:
        return self.mfa

    def _settings(self) -> dict[str, Any]:
        kinds = {f"Require{kind}": kind in self.password_kinds for kind in _KINDS}
        password = {"MinimumLength": self.password_length, "TemporaryPasswordValidityDays": self.temporary_days, **kinds}
        return {
            "Policies": {"PasswordPolicy": password},
            "AdminCreateUserConfig": {"AllowAdminCreateUserOnly": not self.self_registration},
            "AccountRecoverySetting": {"RecoveryMechanisms": [{"Priority": at, "Name": name} for at, name in enumerate(self.recovery, 1)]},
        }

    FAILURES: ClassVar[Failures] = {
        ("CreateUserPool", "LimitExceededException"): lambda pool: Problem(
            code="COGNITO-POOL-QUOTA",
            what=f"User pool {pool.pool_name} was not created.",
            why="This account has as many user pools in this region as its quota allows.",
            do=(
                "Delete an unused user pool, or ask for more under Service Quotas > Amazon Cognito User Pools.",
                "Or use an existing pool: name it in credentials.user_pool_id.",
                "Run the same command again.",
            ),
            aws_docs="https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html",
        ),
        ("DeleteUserPool", "InvalidParameterException"): lambda _: Problem(
            code="COGNITO-POOL-PROTECTED",
            what="The user pool was not deleted.",
            why="Its deletion protection is active, or a domain still belongs to it.",
            do=(
                "If the pool still has a domain, delete it: User pools > the pool > Branding > Domain.",
                "Turn off deletion protection in the pool's settings.",
                "Run the same command again in a minute.",
            ),
        ),
    }


def _list_pools(aws: Aws) -> list[Any]:
    pages = aws.client("cognito-idp").get_paginator("list_user_pools").paginate(PaginationConfig={"PageSize": 60})
    return [pool for page in pages for pool in page["UserPools"]]


def _describe_pool(aws: Aws, id: str) -> dict[str, Any]:
    pool: Any = or_none(lambda: aws.client("cognito-idp").describe_user_pool(UserPoolId=id)["UserPool"], ("ResourceNotFoundException",))
    return pool or {}


def _mfa(aws: Aws, id: str) -> str:
    answer = aws.client("cognito-idp").get_user_pool_mfa_config(UserPoolId=id)
    mode = answer.get("MfaConfiguration", "OFF")
    app = answer.get("SoftwareTokenMfaConfiguration", {}).get("Enabled", False)
    if mode != "OFF" and "SmsMfaConfiguration" in answer:
        return f"{mode} with text messages"
    return mode if app or mode == "OFF" else f"{mode} without authenticator apps"


def _recovery(pool: Mapping[str, Any]) -> tuple[str, ...]:
    ways = pool.get("AccountRecoverySetting", {}).get("RecoveryMechanisms", [])
    return tuple(way["Name"] for way in sorted(ways, key=lambda way: way["Priority"]))


def _protected(pool_id: str, tags: dict[str, str]) -> Problem:
    # It was switched on for a reason, so it is not switched off here. UpdateUserPool resets every field that it is not given,
    # and cleanup knows the pool as ours by its tags.
    kept = ",".join(f"{key}={value}" for key, value in tags.items())
    return Problem(
        code="COGNITO-POOL-PROTECTED",
        what=f"User pool {pool_id} was not deleted.",
        why="Its deletion protection was switched on by hand; with the pool, its users would be lost.",
        do=(
            "If it may go, and its other settings with it: "
            f"aws cognito-idp update-user-pool --user-pool-id {pool_id} --deletion-protection INACTIVE --user-pool-tags '{kept}'",
            "Run the same command again.",
        ),
    )

"""AWS::Cognito::UserPoolResourceServer"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.later import Later, require_known
from sre_agent_deploy.resource import CfnResource, Defaults, Failures, Found, Mark, Owned, Steps, cfn
from sre_agent_deploy.resources.cognito_user_pool import UserPool
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws


@dataclass(frozen=True, kw_only=True)
class ResourceServer(Defaults):
    """Names the scopes that a token can have: `identifier/scope`. Scopes are (name, description)."""

    KIND: ClassVar[str] = "AWS::Cognito::UserPoolResourceServer"
    UNIQUE: ClassVar[bool] = True
    FIXED: ClassVar[frozenset[str]] = frozenset({"user_pool_id", "identifier"})
    PARENT: ClassVar[str] = UserPool.KIND
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"user_pool_id", "identifier"})
    NAME_FIELD: ClassVar[str] = "identifier"

    name: str
    user_pool_id: Later[str]
    identifier: str
    scopes: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        # Scopes are a set that AWS answers in an order of its own.
        object.__setattr__(self, "scopes", tuple(sorted(self.scopes)))

    def natural_id(self, aws: Aws) -> str:
        return f"{self.user_pool_id}/{self.identifier}" if isinstance(self.user_pool_id, str) else ""

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        return tuple(server for pool in UserPool.owned(aws, deployment) for server in _list_servers(aws, pool.id))

    @classmethod
    def within(cls, aws: Aws, parent: str, deployment: str) -> tuple[Owned, ...]:
        return tuple(server for server in _list_servers(aws, parent) if server.name.startswith(deployment))

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        pool, _, identifier = id.partition("/")
        answer = or_none(
            lambda: aws.client("cognito-idp").describe_resource_server(UserPoolId=pool, Identifier=identifier),
            ("ResourceNotFoundException",),
        )
        if answer is None:
            return None
        scopes = tuple((scope["ScopeName"], scope["ScopeDescription"]) for scope in answer["ResourceServer"].get("Scopes", []))
        seen = cls(name=name, user_pool_id=pool, identifier=identifier, scopes=scopes)
        return Found(id, seen, {"identifier": identifier})

    def create(self, aws: Aws, mark: Mark) -> str:
        aws.client("cognito-idp").create_resource_server(**self._settings())
        return f"{require_known(self.user_pool_id)}/{self.identifier}"

    def configure(self, aws: Aws, id: str) -> None:
        found = self.read(aws, id, self.name)
        if found is None or found.seen != self:
            aws.client("cognito-idp").update_resource_server(**self._settings())

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        pool, _, identifier = id.partition("/")
        or_none(
            lambda: aws.client("cognito-idp").delete_resource_server(UserPoolId=pool, Identifier=identifier), ("ResourceNotFoundException",)
        )

    def console(self) -> Steps:
        return (
            f"Amazon Cognito > User pools > {self.user_pool_id} > Branding > Domain > Resource servers > Create resource server",
            f"Resource server name: {self.identifier}",
            f"Resource server identifier: {self.identifier}",
            *(f"Custom scopes > Add custom scope: name {scope}, description {description}" for scope, description in self.scopes),
            "Create resource server",
        )

    def template(self) -> CfnResource:
        return cfn(self.KIND, {"identifier": "Ref"}, **{**self._settings(), "UserPoolId": self.user_pool_id})

    def _settings(self) -> dict[str, Any]:
        scopes = [{"ScopeName": scope, "ScopeDescription": description} for scope, description in self.scopes]
        return {"UserPoolId": self.user_pool_id, "Identifier": self.identifier, "Name": self.identifier, "Scopes": scopes}

    FAILURES: ClassVar[Failures] = {
        ("CreateResourceServer", "InvalidParameterException"): lambda server: Problem(
            code="COGNITO-RESOURCE-SERVER-INVALID",
            what=f"Resource server {server.identifier} was not created.",
            why="The pool has one with this identifier already, or a scope's name or description breaks Cognito's rules.",
            do=(
                "Compare with Amazon Cognito > User pools > Branding > Domain > Resource servers.",
                "Delete the one that is there if it is not needed, and run the same command again.",
            ),
            aws_docs="https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-define-resource-servers.html",
        ),
        ("CreateResourceServer", "LimitExceededException"): lambda server: Problem(
            code="COGNITO-RESOURCE-SERVER-QUOTA",
            what=f"Resource server {server.identifier} was not created.",
            why="This user pool has as many resource servers as its quota allows (25, unless raised).",
            do=("Delete one under Amazon Cognito > User pools > Branding > Domain > Resource servers.", "Run the same command again."),
        ),
    }


def _list_servers(aws: Aws, pool: str) -> tuple[Owned, ...]:
    pages = aws.client("cognito-idp").get_paginator("list_resource_servers").paginate(UserPoolId=pool)
    return tuple(Owned(f"{pool}/{server['Identifier']}", server["Identifier"]) for page in pages for server in page["ResourceServers"])

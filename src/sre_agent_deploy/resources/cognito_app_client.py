"""AWS::Cognito::UserPoolClient"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none, update_fields
from sre_agent_deploy.later import Later, LaterText, require_known
from sre_agent_deploy.resource import CfnResource, Defaults, Failures, Found, Mark, Owned, Steps, cfn
from sre_agent_deploy.resources.cognito_resource_server import ResourceServer
from sre_agent_deploy.resources.cognito_user_pool import UserPool
from sre_core.problem import Problem
from sre_core.secret import Secret

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_MINUTES = {"seconds": 1 / 60, "minutes": 1, "hours": 60, "days": 24 * 60}


@dataclass(frozen=True, kw_only=True)
class AppClient(Defaults):
    """Lets one program get tokens with its own id and secret (client_credentials), for its scopes and nothing else."""

    KIND: ClassVar[str] = "AWS::Cognito::UserPoolClient"
    FIXED: ClassVar[frozenset[str]] = frozenset({"user_pool_id"})
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"user_pool_id"})
    EXEMPT: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("callback_urls", "identity_providers"), "a machine's client has none; what is added by hand is removed"
    )
    NOT_COMPARED: ClassVar[Mapping[str, str]] = {
        "validity of refresh and id tokens; attributes": "they are for people who sign in, and no one signs in through this client"
    }
    LOSES: ClassVar[str] = "address"
    ID_FROM_AWS: ClassVar[bool] = True
    PARENT: ClassVar[str] = UserPool.KIND
    NAME_FIELD: ClassVar[str] = "client_name"
    # Its scopes are the resource server's.
    DELETE_BEFORE: ClassVar[frozenset[str]] = frozenset({ResourceServer.KIND})

    name: str
    user_pool_id: Later[str]
    client_name: str
    scopes: tuple[LaterText, ...]
    token_minutes: int = 60
    flows: tuple[str, ...] = ("client_credentials",)
    auth_flows: tuple[str, ...] = ("ALLOW_REFRESH_TOKEN_AUTH",)
    """Without this one Cognito would also allow sign-in by password (SRP) and custom challenges."""
    callback_urls: tuple[str, ...] = ()
    identity_providers: tuple[str, ...] = ()
    revocation: bool = True
    user_existence_errors: str = "ENABLED"

    def __post_init__(self) -> None:
        # Scopes are a set that AWS answers in an order of its own.
        object.__setattr__(self, "scopes", tuple(sorted(self.scopes, key=str)))

    def natural_id(self, aws: Aws) -> str:
        if not isinstance(self.user_pool_id, str):
            return ""
        return next((client.id for client in _list_clients(aws, self.user_pool_id) if client.name == self.client_name), "")

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        return tuple(client for pool in UserPool.owned(aws, deployment) for client in _list_clients(aws, pool.id))

    @classmethod
    def within(cls, aws: Aws, parent: str, deployment: str) -> tuple[Owned, ...]:
        return tuple(client for client in _list_clients(aws, parent) if client.name.startswith(deployment))

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        client = _describe_client(aws, id)
        if not client:
            return None
        seen = cls(
            name=name,
            user_pool_id=client["UserPoolId"],
            client_name=client["ClientName"],
            scopes=tuple(client.get("AllowedOAuthScopes", [])),
            token_minutes=_token_minutes(client),
            flows=tuple(client.get("AllowedOAuthFlows", [])) if client.get("AllowedOAuthFlowsUserPoolClient") else (),
            auth_flows=tuple(client.get("ExplicitAuthFlows", [])),
            callback_urls=(*client.get("CallbackURLs", []), *client.get("LogoutURLs", [])),
            identity_providers=tuple(client.get("SupportedIdentityProviders", [])),
            revocation=client.get("EnableTokenRevocation", False),
            user_existence_errors=client.get("PreventUserExistenceErrors", "LEGACY"),
        )
        return Found(id, seen, {"client_id": client["ClientId"], "client_secret": Secret(client.get("ClientSecret", ""))})

    def create(self, aws: Aws, mark: Mark) -> str:
        pool = require_known(self.user_pool_id)
        settings = self._settings() | {"AllowedOAuthScopes": [require_known(scope) for scope in self.scopes]}
        answer = aws.client("cognito-idp").create_user_pool_client(UserPoolId=pool, GenerateSecret=True, **settings)
        return f"{pool}/{answer['UserPoolClient']['ClientId']}"

    def configure(self, aws: Aws, id: str) -> None:
        found = self.read(aws, id, self.name)
        if found is not None and found.seen == self:
            return
        seen = _describe_client(aws, id)
        settings = update_fields(aws.client("cognito-idp"), "UpdateUserPoolClient", seen) | self._settings()
        for added in ("CallbackURLs", "LogoutURLs", "DefaultRedirectURI", "SupportedIdentityProviders"):
            settings.pop(added, None)
        settings["TokenValidityUnits"] = {**seen.get("TokenValidityUnits", {}), **settings["TokenValidityUnits"]}
        aws.client("cognito-idp").update_user_pool_client(**settings)

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        pool, _, client = id.partition("/")
        or_none(lambda: aws.client("cognito-idp").delete_user_pool_client(UserPoolId=pool, ClientId=client), ("ResourceNotFoundException",))

    def console(self) -> Steps:
        return (
            f"Amazon Cognito > User pools > {self.user_pool_id} > Applications > App clients > Create app client",
            "Application type: Machine-to-machine application",
            f"Name your application: {self.client_name}",
            "Create app client; then App client information > Edit:",
            f"Authentication flows: none but the refresh token's, which can't be taken away ({', '.join(self.auth_flows)})",
            f"Enable token revocation: {'Yes' if self.revocation else 'No'}",
            f"Prevent user existence errors: {self.user_existence_errors}",
            f"Access token expiration: {self.token_minutes} minutes",
            "Save changes; then Login pages > Edit:",
            f"OAuth grant types: {', '.join(self.flows)}",
            f"Custom scopes: {', '.join(map(str, self.scopes))}",
        )

    def template(self) -> CfnResource:
        return cfn(
            self.KIND,
            {"client_id": "ClientId", "client_secret": "ClientSecret"},
            UserPoolId=self.user_pool_id,
            GenerateSecret=True,
            **self._settings(),
        )

    def _settings(self) -> dict[str, Any]:
        return {
            "ClientName": self.client_name,
            "AllowedOAuthScopes": list(self.scopes),
            "AccessTokenValidity": self.token_minutes,
            "TokenValidityUnits": {"AccessToken": "minutes"},
            "EnableTokenRevocation": self.revocation,
            "PreventUserExistenceErrors": self.user_existence_errors,
            "AllowedOAuthFlows": list(self.flows),
            "AllowedOAuthFlowsUserPoolClient": True,
            "ExplicitAuthFlows": list(self.auth_flows),
        }

    FAILURES: ClassVar[Failures] = {
        (operation, "ScopeDoesNotExistException"): lambda client: Problem(
            code="COGNITO-SCOPE-MISSING",
            what=f"App client {client.client_name} can't be given the scopes {', '.join(map(str, client.scopes))}.",
            why="The user pool has no resource server with one of these scopes.",
            do=(
                "If the pool is yours, add the scopes under Amazon Cognito > User pools > Branding > Domain > Resource servers.",
                "Run the same command again; in a pool of the deployment, the resource server is created before its clients.",
            ),
            aws_docs="https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-define-resource-servers.html",
        )
        for operation in ("CreateUserPoolClient", "UpdateUserPoolClient")
    } | {
        ("CreateUserPoolClient", "LimitExceededException"): lambda client: Problem(
            code="COGNITO-CLIENT-QUOTA",
            what=f"App client {client.client_name} was not created.",
            why="This user pool has as many app clients as its quota allows.",
            do=("Delete an unused app client, or ask for more under Service Quotas.", "Run the same command again."),
        ),
    }


def _list_clients(aws: Aws, pool: str) -> tuple[Owned, ...]:
    pages = aws.client("cognito-idp").get_paginator("list_user_pool_clients").paginate(UserPoolId=pool, PaginationConfig={"PageSize": 60})
    return tuple(Owned(f"{pool}/{client['ClientId']}", client["ClientName"]) for page in pages for client in page["UserPoolClients"])


def _describe_client(aws: Aws, id: str) -> dict[str, Any]:
    pool, _, client = id.partition("/")
    answer: Any = or_none(
        lambda: aws.client("cognito-idp").describe_user_pool_client(UserPoolId=pool, ClientId=client)["UserPoolClient"],
        ("ResourceNotFoundException",),
    )
    return answer or {}


def _token_minutes(client: Mapping[str, Any]) -> int:
    """Answer how many minutes an access token is valid. Cognito counts hours if no unit is set, and one hour if no number is."""
    unit = client.get("TokenValidityUnits", {}).get("AccessToken", "hours")
    number: float = client.get("AccessTokenValidity", 60 / _MINUTES[unit])
    return round(number * _MINUTES[unit])


def list_secrets(aws: Aws, id: str) -> list[str]:
    """List the ids of a client's secrets, the oldest first. Cognito never shows their values."""
    pool, _, client = id.partition("/")
    found = aws.client("cognito-idp").list_user_pool_client_secrets(UserPoolId=pool, ClientId=client)["ClientSecrets"]
    return [each["ClientSecretId"] for each in sorted(found, key=lambda each: each["ClientSecretCreateDate"])]


def add_secret(aws: Aws, id: str, secret: Secret) -> None:
    """Add this secret beside the one that the client has; both are accepted."""
    pool, _, client = id.partition("/")
    aws.client("cognito-idp").add_user_pool_client_secret(UserPoolId=pool, ClientId=client, ClientSecret=secret.reveal())


def delete_secret(aws: Aws, id: str, secret_id: str) -> None:
    """Delete one of the client's two secrets."""
    pool, _, client = id.partition("/")
    aws.client("cognito-idp").delete_user_pool_client_secret(UserPoolId=pool, ClientId=client, ClientSecretId=secret_id)

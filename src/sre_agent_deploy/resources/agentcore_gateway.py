"""AWS::BedrockAgentCore::Gateway"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none, update_fields
from sre_agent_deploy.later import Later, LaterText, require_known
from sre_agent_deploy.resource import (
    DEPLOYMENT_TAG,
    CfnResource,
    Defaults,
    Failures,
    Found,
    Mark,
    Owned,
    Ready,
    Steps,
    TagChanges,
    Waiting,
    cfn,
)
from sre_agent_deploy.resources.cognito_user_pool import UserPool
from sre_agent_deploy.resources.iam_role import IamRole
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_GONE = ("ResourceNotFoundException",)
_ON_ITS_WAY = frozenset({"CREATING", "UPDATING"})
_EXTENSIONS = frozenset({"interceptorConfigurations", "policyEngineConfiguration", "customTransformConfiguration"})


@dataclass(frozen=True, kw_only=True)
class Gateway(Defaults):
    """Offers the backends' operations as MCP tools, to the named clients of one identity provider."""

    KIND: ClassVar[str] = "AWS::BedrockAgentCore::Gateway"
    FIXED: ClassVar[frozenset[str]] = frozenset({"gateway_name", "search"})
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"gateway_name", "search"})
    EXEMPT: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("allowed_audience", "extensions"), "a new gateway has none; what is added by hand is removed"
    )
    MOST_TAGS: ClassVar[int] = 50
    LOSES: ClassVar[str] = "address"
    TOKEN: ClassVar[bool] = True
    UNIQUE: ClassVar[bool] = True
    ID_FROM_AWS: ClassVar[bool] = True
    # It works with its role and checks tokens by its pool until it is gone.
    DELETE_BEFORE: ClassVar[frozenset[str]] = frozenset({IamRole.KIND, UserPool.KIND})
    # AgentCore tries to assume the role while it creates the gateway; until IAM has spread a new role, it can't.
    PROPAGATES: ClassVar[frozenset[str]] = frozenset({"AccessDeniedException", "ValidationException"})
    BLOCKERS: ClassVar[frozenset[tuple[str, str]]] = frozenset(
        {("DeleteGateway", "ConflictException"), ("DeleteGateway", "ValidationException")}
    )

    name: str
    gateway_name: str
    description: str
    role_arn: Later[str]
    discovery_url: LaterText
    allowed_clients: tuple[LaterText, ...]
    allowed_scopes: tuple[LaterText, ...] = ()
    search: bool = False
    debug: bool = False
    authorizer: str = "CUSTOM_JWT"
    allowed_audience: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    """Settings by which functions or policies of others take part in each call."""

    def __post_init__(self) -> None:
        # Clients and scopes are sets that AWS may answer in an order of its own.
        object.__setattr__(self, "allowed_clients", tuple(sorted(self.allowed_clients, key=str)))
        object.__setattr__(self, "allowed_scopes", tuple(sorted(self.allowed_scopes, key=str)))

    def natural_id(self, aws: Aws) -> str:
        return next((id for id, name in _list_gateways(aws) if name == self.gateway_name), "")

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        # A listing shows neither tags nor ARNs, and the user may have chosen the name: each is asked.
        found = [cls.read(aws, id, "") for id, _ in _list_gateways(aws)]
        tagged = [(gateway.id, gateway.tags or {}) for gateway in found if gateway]
        return tuple(Owned.tagged(id, tags) for id, tags in tagged if tags.get(DEPLOYMENT_TAG) == deployment)

    @classmethod
    def deployments(cls, aws: Aws) -> Iterable[str]:
        pages = aws.client("bedrock-agentcore-control").get_paginator("list_gateways").paginate()
        return (gateway["name"] for page in pages for gateway in page["items"])

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        gateway = _get_gateway(aws, id)
        tags = (
            or_none(lambda: aws.client("bedrock-agentcore-control").list_tags_for_resource(resourceArn=gateway["gatewayArn"]), _GONE)
            if gateway
            else None
        )
        if tags is None:
            return None
        # Until it is really gone its name is not free.
        going = "it is being deleted" if gateway["status"] == "DELETING" else ""
        jwt = gateway.get("authorizerConfiguration", {}).get("customJWTAuthorizer", {})
        seen = cls(
            name=name,
            gateway_name=gateway["name"],
            description=gateway.get("description", ""),
            role_arn=gateway.get("roleArn", ""),
            discovery_url=jwt.get("discoveryUrl", ""),
            allowed_clients=tuple(jwt.get("allowedClients", [])),
            allowed_scopes=tuple(jwt.get("allowedScopes", [])),
            search=gateway.get("protocolConfiguration", {}).get("mcp", {}).get("searchType") == "SEMANTIC",
            debug=gateway.get("exceptionLevel") == "DEBUG",
            authorizer=gateway.get("authorizerType", ""),
            allowed_audience=tuple(jwt.get("allowedAudience", [])),
            extensions=tuple(sorted(_EXTENSIONS & gateway.keys())),
        )
        outputs = {"gateway_id": id, "gateway_url": gateway.get("gatewayUrl", ""), "arn": gateway["gatewayArn"]}
        return Found(id, seen, outputs, tags.get("tags", {}), going)

    def create(self, aws: Aws, mark: Mark) -> str:
        search: dict[str, Any] = {"protocolConfiguration": _SEMANTIC} if self.search else {}
        answer = aws.client("bedrock-agentcore-control").create_gateway(
            clientToken=mark.token, tags=mark.tags(), **self._settings(), **search
        )
        return answer["gatewayId"]

    def configure(self, aws: Aws, id: str) -> None:
        # An update makes the gateway UPDATING and is refused while it is CREATING: none where nothing differs.
        found = self.read(aws, id, self.name)
        if found is not None and found.seen == self:
            return
        seen = update_fields(aws.client("bedrock-agentcore-control"), "UpdateGateway", _get_gateway(aws, id))
        kept = {key: value for key, value in seen.items() if key not in _EXTENSIONS | {"description", "exceptionLevel"}}
        aws.client("bedrock-agentcore-control").update_gateway(gatewayIdentifier=id, **(kept | self._settings()))

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        arn = _get_gateway(aws, id).get("gatewayArn", "")
        if changes.set:
            aws.client("bedrock-agentcore-control").tag_resource(resourceArn=arn, tags=changes.set)
        if changes.remove:
            aws.client("bedrock-agentcore-control").untag_resource(resourceArn=arn, tagKeys=changes.remove)

    def ready(self, aws: Aws, id: str) -> Ready | Waiting | Problem:
        gateway = aws.client("bedrock-agentcore-control").get_gateway(gatewayIdentifier=id)
        status = gateway["status"]
        if status == "READY":
            return Ready()
        return Waiting(f"gateway {self.gateway_name} is {status}") if status in _ON_ITS_WAY else _failed(self, gateway)

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        if _get_gateway(aws, id).get("status") != "DELETING":
            or_none(lambda: aws.client("bedrock-agentcore-control").delete_gateway(gatewayIdentifier=id), _GONE)

    @classmethod
    def blockers(cls, aws: Aws, id: str, code: str) -> Waiting | Problem | None:
        pages = aws.client("bedrock-agentcore-control").get_paginator("list_gateway_targets").paginate(gatewayIdentifier=id)
        staying = [target["name"] for page in pages for target in page["items"] if target["status"] != "DELETING"]
        # Targets go in the background, and count for a while after the last listing that showed them.
        return _has_targets(id, staying) if staying else Waiting(f"the targets of gateway {id} to be deleted")

    def console(self) -> Steps:
        return (
            "Amazon Bedrock AgentCore > Gateways > Create gateway",
            f"Gateway name: {self.gateway_name}",
            f"Additional configurations > Gateway description: {self.description}",
            f"Additional configurations > Enable semantic search: {'Yes' if self.search else 'No'}",
            f"Additional configurations > Exception level debug: {'Yes' if self.debug else 'No'}",
            f"Inbound Auth type: Use JSON Web Tokens (JWT, {self.authorizer}) > Use existing identity provider configurations",
            f"Discovery URL: {self.discovery_url}",
            f"Allowed clients: {', '.join(map(str, self.allowed_clients))}",
            f"Allowed scopes: {', '.join(map(str, self.allowed_scopes)) or '(none)'}",
            f"Permissions > Use an existing service role: {self.role_arn}",
            "Add the targets of the next steps, then: Create gateway",
        )

    def template(self) -> CfnResource:
        jwt = {"DiscoveryUrl": self.discovery_url, "AllowedClients": self.allowed_clients, "AllowedScopes": self.allowed_scopes}
        return cfn(
            self.KIND,
            {"gateway_id": "GatewayIdentifier", "gateway_url": "GatewayUrl", "arn": "GatewayArn"},
            Name=self.gateway_name,
            Description=self.description,
            RoleArn=self.role_arn,
            ProtocolType="MCP",
            ProtocolConfiguration={"Mcp": {"SearchType": "SEMANTIC"}} if self.search else None,
            AuthorizerType=self.authorizer,
            AuthorizerConfiguration={"CustomJWTAuthorizer": {key: value for key, value in jwt.items() if value}},
            ExceptionLevel="DEBUG" if self.debug else None,
        )

    def _settings(self) -> dict[str, Any]:
        # Cognito's machine tokens have client_id and no aud, so clients are named and audiences are not.
        jwt = {
            "discoveryUrl": require_known(self.discovery_url),
            "allowedClients": [require_known(client) for client in self.allowed_clients],
            "allowedScopes": [require_known(scope) for scope in self.allowed_scopes],
        }
        wanted = {
            "name": self.gateway_name,
            "description": self.description,
            "roleArn": require_known(self.role_arn),
            "protocolType": "MCP",
            "authorizerType": self.authorizer,
            "authorizerConfiguration": {"customJWTAuthorizer": {key: value for key, value in jwt.items() if value}},
            "exceptionLevel": "DEBUG" if self.debug else "",
        }
        return {key: value for key, value in wanted.items() if value}

    def _refused(self) -> Problem:
        return Problem(
            code="AGENTCORE-GATEWAY-REFUSED",
            what=f"AgentCore does not accept gateway {self.gateway_name}.",
            why=f"It can't assume the role {self.role_arn}, can't read the discovery URL, or one of the values breaks its rules.",
            do=(
                f"Check that {self.discovery_url} answers from the internet, and that the role's trust policy names "
                "bedrock-agentcore.amazonaws.com and this gateway's name.",
                "Shorten gateway.gateway_name to 48 characters and gateway.description to 200.",
                "Run the same command again; a role that is new may need minutes.",
            ),
            aws_docs="https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/gateway-prerequisites-permissions.html",
        )

    FAILURES: ClassVar[Failures] = {
        ("CreateGateway", "ConflictException"): lambda gateway: Problem(
            code="AGENTCORE-GATEWAY-EXISTS",
            what=f"Gateway {gateway.gateway_name} was not created.",
            why="A gateway of this name exists in this account and region, or one is still being deleted.",
            do=(
                "If you have just cleaned up this deployment, wait a minute and run the same command again.",
                "Otherwise delete that gateway under Amazon Bedrock AgentCore > Gateways, or set another `name:` for this deployment.",
            ),
        ),
        ("CreateGateway", "ServiceQuotaExceededException"): lambda gateway: Problem(
            code="AGENTCORE-GATEWAY-QUOTA",
            what=f"Gateway {gateway.gateway_name} was not created.",
            why="This account has as many gateways in this region as its quota allows, or its service-linked role is being created.",
            do=(
                "Delete a gateway, or ask for more under Service Quotas > Amazon Bedrock AgentCore.",
                "If no quota is reached, the role is being created: run the same command again in a minute.",
            ),
            aws_docs="https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/bedrock-agentcore-limits.html",
        ),
        ("CreateGateway", "ValidationException"): _refused,
        ("UpdateGateway", "ValidationException"): _refused,
        ("UpdateGateway", "ConflictException"): lambda gateway: Problem(
            code="AGENTCORE-GATEWAY-BUSY",
            what=f"Gateway {gateway.gateway_name} was not updated.",
            why="Another change of it is still under way.",
            do=(
                "Wait until Amazon Bedrock AgentCore > Gateways shows it as Ready.",
                "Then run the same command again; it continues where it stopped.",
            ),
        ),
        ("DeleteGateway", "ConflictException"): lambda _: Problem(
            code="AGENTCORE-GATEWAY-HAS-TARGETS",
            what="The gateway was not deleted.",
            why="It still has targets: AWS deletes them in the background, or one was added by hand.",
            do=(
                "See which targets Amazon Bedrock AgentCore > Gateways still lists, and delete those that remain after a minute.",
                "Then run the same command again.",
            ),
        ),
    }


_SEMANTIC: Any = {"mcp": {"searchType": "SEMANTIC"}}


def _list_gateways(aws: Aws) -> list[tuple[str, str]]:
    """List the id and name of every gateway that is not being deleted."""
    pages = aws.client("bedrock-agentcore-control").get_paginator("list_gateways").paginate()
    gateways = [gateway for page in pages for gateway in page["items"] if gateway["status"] != "DELETING"]
    return [(gateway["gatewayId"], gateway["name"]) for gateway in gateways]


def _get_gateway(aws: Aws, id: str) -> dict[str, Any]:
    gateway: Any = or_none(lambda: aws.client("bedrock-agentcore-control").get_gateway(gatewayIdentifier=id), _GONE)
    return gateway or {}


def _failed(wanted: Gateway, gateway: Mapping[str, Any]) -> Problem:
    reasons = " ".join(gateway.get("statusReasons", [])) or "AgentCore gave no reason."
    return Problem(
        code="AGENTCORE-GATEWAY-FAILED",
        what=f"Gateway {wanted.gateway_name} is {gateway['status']}.",
        why=reasons,
        do=(
            "Fix the cause given above, then run the same command again.",
            "If the gateway stays as it is, run cleanup for this deployment and deploy again.",
        ),
    )


def _has_targets(id: str, names: list[str]) -> Problem:
    return Problem(
        code="AGENTCORE-GATEWAY-HAS-TARGETS",
        what=f"Gateway {id} was not deleted.",
        why=f"It still has {', '.join(names)}: added by hand while it was being cleaned up, or not deletable.",
        do=(
            f"See why they remain: aws bedrock-agentcore-control list-gateway-targets --gateway-identifier {id}",
            "Run the same command again: it deletes every target of the gateway.",
        ),
    )

"""AWS::BedrockAgentCore::GatewayTarget"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none, update_fields
from sre_agent_deploy.later import Later, LaterText, require_known
from sre_agent_deploy.resource import CfnResource, Defaults, Failures, Found, Mark, Owned, Ready, Steps, Waiting, cfn
from sre_agent_deploy.resources.agentcore_gateway import Gateway
from sre_agent_deploy.resources.api_key_credential_provider import ApiKeyCredentialProvider
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_GONE = ("ResourceNotFoundException",)
_UNREAD = frozenset({"FAILED", "UPDATE_UNSUCCESSFUL", "SYNCHRONIZE_UNSUCCESSFUL"})
_ON_ITS_WAY = frozenset({"CREATING", "UPDATING", "SYNCHRONIZING"})


@dataclass(frozen=True, kw_only=True)
class GatewayTarget(Defaults):
    """Makes MCP tools of one backend: its OpenAPI document in S3, and the API key that the gateway sends it.

    AgentCore reads the document when the target is created or updated, so a changed document needs a URI of its own.
    """

    KIND: ClassVar[str] = "AWS::BedrockAgentCore::GatewayTarget"
    FIXED: ClassVar[frozenset[str]] = frozenset({"gateway_id"})
    TOKEN: ClassVar[bool] = True
    UNIQUE: ClassVar[bool] = True
    ID_FROM_AWS: ClassVar[bool] = True
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"gateway_id"})
    EXEMPT: ClassVar[Mapping[str, str]] = {"prefix": "the key is sent as it is; a prefix that was added by hand is removed"}
    PARENT: ClassVar[str] = Gateway.KIND
    DELETE_BEFORE: ClassVar[frozenset[str]] = frozenset({ApiKeyCredentialProvider.KIND})

    name: str
    gateway_id: Later[str]
    target_name: str
    description: str
    schema_uri: LaterText
    provider_arn: Later[str]
    header: str = "X-API-Key"
    ca_uri: LaterText = ""
    prefix: str = ""
    passed_headers: tuple[str, ...] = ()
    """The headers of a client's request that its backend gets, too."""

    def natural_id(self, aws: Aws) -> str:
        if not isinstance(self.gateway_id, str):
            return ""
        return next((target.id for target in _list_targets(aws, self.gateway_id) if target.name == self.target_name), "")

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        return tuple(target for gateway in Gateway.owned(aws, deployment) for target in _list_targets(aws, gateway.id))

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        target = _get_target(aws, id)
        if not target:
            return None
        # Until it is really gone its gateway can't be deleted and its name is not free.
        going = "it is being deleted" if target["status"] == "DELETING" else ""
        # One that failed has not read its document: an update makes it read again.
        unread = f" ({target['status']})" if target["status"] in _UNREAD else ""
        key = _find_api_key(target)
        seen = cls(
            name=name,
            gateway_id=id.partition("/")[0],
            target_name=target["name"],
            description=target.get("description", ""),
            schema_uri=target["targetConfiguration"].get("mcp", {}).get("openApiSchema", {}).get("s3", {}).get("uri", "") + unread,
            provider_arn=key.get("providerArn", ""),
            header=key.get("credentialParameterName", "") if key.get("credentialLocation") == "HEADER" else "",
            prefix=key.get("credentialPrefix", ""),
            ca_uri=next((entry["s3"]["uri"] for entry in target.get("certificateConfigurations", []) if "s3" in entry), ""),
            passed_headers=tuple(target.get("metadataConfiguration", {}).get("allowedRequestHeaders", ())),
        )
        return Found(id, seen, {"target_id": target["targetId"]}, broken=going)

    def create(self, aws: Aws, mark: Mark) -> str:
        gateway = require_known(self.gateway_id)
        answer = aws.client("bedrock-agentcore-control").create_gateway_target(
            gatewayIdentifier=gateway, clientToken=mark.token, **self._settings()
        )
        return f"{gateway}/{answer['targetId']}"

    def configure(self, aws: Aws, id: str) -> None:
        # An update makes the target UPDATING and is refused while it is CREATING: none where nothing differs.
        found = self.read(aws, id, self.name)
        if found is not None and found.seen == self:
            return
        gateway, _, target = id.partition("/")
        seen = update_fields(aws.client("bedrock-agentcore-control"), "UpdateGatewayTarget", _get_target(aws, id))
        kept = {
            key: value for key, value in seen.items() if key not in {"description", "certificateConfigurations", "metadataConfiguration"}
        }
        aws.client("bedrock-agentcore-control").update_gateway_target(
            **(kept | {"gatewayIdentifier": gateway, "targetId": target} | self._settings())
        )

    def ready(self, aws: Aws, id: str) -> Ready | Waiting | Problem:
        gateway, _, target = id.partition("/")
        seen = aws.client("bedrock-agentcore-control").get_gateway_target(gatewayIdentifier=gateway, targetId=target)
        status = seen["status"]
        if status == "READY":
            return Ready()
        return Waiting(f"target {self.target_name} is {status}") if status in _ON_ITS_WAY else _failed(self, seen)

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        gateway, _, target = id.partition("/")
        if _get_target(aws, id).get("status") != "DELETING":
            or_none(
                lambda: aws.client("bedrock-agentcore-control").delete_gateway_target(gatewayIdentifier=gateway, targetId=target), _GONE
            )

    def console(self) -> Steps:
        ca = (f"Private CA certificate > S3 URI: {self.ca_uri}",) if self.ca_uri else ()
        return (
            f"Amazon Bedrock AgentCore > Gateways > {self.gateway_id} > Targets > Add",
            f"Target name: {self.target_name}",
            f"Target description: {self.description}",
            "Target type: REST API > OpenAPI schema > Define with an S3 resource",
            f"S3 URI: {self.schema_uri}",
            f"Outbound Auth configurations > API key: {self.provider_arn}",
            f"Additional configuration > Location: Header; Parameter name: {self.header}",
            *ca,
            *(f"Additional configuration > Header propagation > Allowed request headers: {name}" for name in self.passed_headers),
            "Add target",
        )

    def template(self) -> CfnResource:
        key = {"ProviderArn": self.provider_arn, "CredentialLocation": "HEADER", "CredentialParameterName": self.header}
        target = cfn(
            self.KIND,
            {"target_id": "TargetId"},
            GatewayIdentifier=self.gateway_id,
            Name=self.target_name,
            Description=self.description,
            TargetConfiguration={"Mcp": {"OpenApiSchema": {"S3": {"Uri": self.schema_uri}}}},
            CredentialProviderConfigurations=[
                {"CredentialProviderType": "API_KEY", "CredentialProvider": {"ApiKeyCredentialProvider": key}}
            ],
            **({"MetadataConfiguration": {"AllowedRequestHeaders": list(self.passed_headers)}} if self.passed_headers else {}),
        )
        # CloudFormation's type has no property for it, unlike the API.
        note = f"CloudFormation can't set a target's private CA: afterwards give it {self.ca_uri} with UpdateGatewayTarget."
        return replace(target, note=note) if self.ca_uri else target

    def _settings(self) -> dict[str, Any]:
        key = {"providerArn": require_known(self.provider_arn), "credentialLocation": "HEADER", "credentialParameterName": self.header}
        wanted = {
            "name": self.target_name,
            "description": self.description,
            "targetConfiguration": {"mcp": {"openApiSchema": {"s3": {"uri": require_known(self.schema_uri)}}}},
            "credentialProviderConfigurations": [
                {"credentialProviderType": "API_KEY", "credentialProvider": {"apiKeyCredentialProvider": key}}
            ],
            "certificateConfigurations": [{"s3": {"uri": require_known(self.ca_uri)}}] if self.ca_uri else [],
            "metadataConfiguration": {"allowedRequestHeaders": list(self.passed_headers)} if self.passed_headers else {},
        }
        return {key: value for key, value in wanted.items() if value}

    def _refused(self) -> Problem:
        return Problem(
            code="AGENTCORE-TARGET-REFUSED",
            what=f"AgentCore does not accept target {self.target_name}.",
            why=f"The OpenAPI document {self.schema_uri} is missing or is not one that AgentCore can make tools of.",
            do=(
                f"Run `aws s3 cp {self.schema_uri} -` to see that it is there, with the credentials you deploy with.",
                "The document must be OpenAPI 3.0 or 3.1 with operationIds, one public HTTPS server, and no oneOf, anyOf or allOf.",
                "A target's name has letters, digits and single hyphens, at most 100.",
                "Run the same command again.",
            ),
            aws_docs="https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/gateway-schema-openapi.html",
        )

    def _unreadable(self) -> Problem:
        return Problem(
            code="AGENTCORE-TARGET-DENIED",
            what=f"Target {self.target_name} may not be created.",
            why="AgentCore reads the OpenAPI document as the identity you deploy with, not as the gateway's role, and needs both rights.",
            do=(
                f"Allow s3:GetObject on {self.schema_uri} and the gateway target actions of bedrock-agentcore to that identity.",
                "Run the same command again.",
            ),
            aws_docs="https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/gateway-prerequisites-permissions.html",
        )

    def _needs(self) -> Problem:
        return Problem(
            code="AGENTCORE-TARGET-NEEDS",
            what=f"Target {self.target_name} was not created: something that it needs does not exist.",
            why=f"Gateway {self.gateway_id} or credential provider {self.provider_arn} does not exist in this account and region.",
            do=(
                "If the configuration names one of them, correct its name.",
                "Run the same command again; what was deleted outside of this tool is created again first.",
            ),
        )

    FAILURES: ClassVar[Failures] = {
        ("CreateGatewayTarget", "ValidationException"): _refused,
        ("UpdateGatewayTarget", "ValidationException"): _refused,
        ("CreateGatewayTarget", "AccessDeniedException"): _unreadable,
        ("UpdateGatewayTarget", "AccessDeniedException"): _unreadable,
        ("CreateGatewayTarget", "ResourceNotFoundException"): _needs,
        ("UpdateGatewayTarget", "ResourceNotFoundException"): _needs,
        ("CreateGatewayTarget", "ConflictException"): lambda target: Problem(
            code="AGENTCORE-TARGET-EXISTS",
            what=f"Target {target.target_name} was not created.",
            why="The gateway has a target of this name, one is still being deleted, or the gateway itself is being changed.",
            do=(
                f"See Amazon Bedrock AgentCore > Gateways > {target.gateway_id}: wait until nothing there is being changed or deleted.",
                "Then run the same command again. If it fails again, delete the target of this name.",
            ),
        ),
        ("CreateGatewayTarget", "ServiceQuotaExceededException"): lambda target: Problem(
            code="AGENTCORE-TARGET-QUOTA",
            what=f"Target {target.target_name} was not created.",
            why="The gateway has as many targets, or the target as many tools, as the quotas allow (100 and 1,000, unless raised).",
            do=(
                "Delete unused targets, or ask for more under Service Quotas > Amazon Bedrock AgentCore.",
                "Run the same command again.",
            ),
            aws_docs="https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/bedrock-agentcore-limits.html",
        ),
    } | {
        (operation, "ConflictException"): lambda _: Problem(
            code="AGENTCORE-TARGET-BUSY",
            what="A target of the gateway was not changed.",
            why="Another change of it, or of its gateway, is still under way.",
            do=(
                "Wait until Amazon Bedrock AgentCore > Gateways shows the gateway and its targets as Ready.",
                "Then run the same command again; it continues where it stopped.",
            ),
        )
        for operation in ("UpdateGatewayTarget", "DeleteGatewayTarget")
    }


def _list_targets(aws: Aws, gateway: str) -> tuple[Owned, ...]:
    pages = aws.client("bedrock-agentcore-control").get_paginator("list_gateway_targets").paginate(gatewayIdentifier=gateway)
    targets = [target for page in pages for target in page["items"] if target["status"] != "DELETING"]
    return tuple(Owned(f"{gateway}/{target['targetId']}", target["name"]) for target in targets)


def _get_target(aws: Aws, id: str) -> dict[str, Any]:
    gateway, _, target = id.partition("/")
    answer: Any = or_none(
        lambda: aws.client("bedrock-agentcore-control").get_gateway_target(gatewayIdentifier=gateway, targetId=target), _GONE
    )
    return answer or {}


def _find_api_key(target: Mapping[str, Any]) -> dict[str, str]:
    """Find the API key settings of a target; none if it sends other credentials."""
    settings = [entry.get("credentialProvider", {}) for entry in target.get("credentialProviderConfigurations", [])]
    return next((entry["apiKeyCredentialProvider"] for entry in settings if "apiKeyCredentialProvider" in entry), {})


def _failed(wanted: GatewayTarget, target: Mapping[str, Any]) -> Problem:
    reasons = " ".join(target.get("statusReasons", [])) or "AgentCore gave no reason."
    return Problem(
        code="AGENTCORE-TARGET-FAILED",
        what=f"Target {wanted.target_name} is {target['status']}.",
        why=reasons,
        do=(
            f"Fix the cause given above. Often it is the OpenAPI document {wanted.schema_uri}, or the server's address in it.",
            "Run the same command again.",
        ),
    )

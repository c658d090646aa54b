"""AWS::BedrockAgentCore::RuntimeEndpoint"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.later import Later, require_known
from sre_agent_deploy.resource import CfnResource, Defaults, Failures, Found, Mark, Owned, Ready, Steps, Waiting, cfn
from sre_agent_deploy.resources.agentcore_runtime import AgentRuntime, invocation_url
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_GONE = ("ResourceNotFoundException",)
BEFORE_TAG = "sre-agent:version-before"
_ON_ITS_WAY = frozenset({"CREATING", "UPDATING"})


@dataclass(frozen=True, kw_only=True)
class RuntimeEndpoint(Defaults):
    """Says which version of a runtime callers reach. It moves only when a deployment updates it, and no request is lost by that."""

    KIND: ClassVar[str] = "AWS::BedrockAgentCore::RuntimeEndpoint"
    FIXED: ClassVar[frozenset[str]] = frozenset({"runtime_id", "endpoint_name"})
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"runtime_id", "endpoint_name"})
    PARENT: ClassVar[str] = AgentRuntime.KIND
    LOSES: ClassVar[str] = "address"
    TOKEN: ClassVar[bool] = True
    UNIQUE: ClassVar[bool] = True
    # AWS keeps every version of a runtime.
    RETURNS: ClassVar[frozenset[str]] = frozenset({"version"})
    BLOCKERS: ClassVar[frozenset[tuple[str, str]]] = frozenset({("DeleteAgentRuntimeEndpoint", "ConflictException")})

    name: str
    runtime_id: Later[str]
    endpoint_name: str
    version: Later[str]
    description: str

    def natural_id(self, aws: Aws) -> str:
        return f"{self.runtime_id}/{self.endpoint_name}" if isinstance(self.runtime_id, str) else ""

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        return tuple(owned for runtime in AgentRuntime.owned(aws, deployment) for owned in _list_endpoints(aws, runtime.id))

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        endpoint = _get_endpoint(aws, id)
        arn = endpoint.get("agentRuntimeEndpointArn", "")
        tags = or_none(lambda: aws.client("bedrock-agentcore-control").list_tags_for_resource(resourceArn=arn), _GONE) if endpoint else None
        if tags is None:
            return None
        # Until it is really gone its runtime can't be deleted and its name is not free.
        going = {"DELETING": "it is being deleted", "CREATE_FAILED": "its creation failed"}.get(endpoint["status"], "")
        seen = cls(
            name=name,
            runtime_id=id.partition("/")[0],
            endpoint_name=endpoint["name"],
            # What it moves to counts: the version before serves only until then.
            version=endpoint.get("targetVersion") or endpoint.get("liveVersion", ""),
            description=endpoint.get("description", ""),
        )
        url = invocation_url(aws, endpoint["agentRuntimeArn"], endpoint["name"])
        outputs = {"invocation_url": url, "arn": arn, "version_before": tags.get("tags", {}).get(BEFORE_TAG, "")}
        return Found(id, seen, outputs, broken=going)

    def create(self, aws: Aws, mark: Mark) -> str:
        runtime = require_known(self.runtime_id)
        aws.client("bedrock-agentcore-control").create_agent_runtime_endpoint(
            agentRuntimeId=runtime,
            name=self.endpoint_name,
            agentRuntimeVersion=require_known(self.version),
            description=self.description,
            clientToken=mark.token,
        )
        return f"{runtime}/{self.endpoint_name}"

    def configure(self, aws: Aws, id: str) -> None:
        found = self.read(aws, id, self.name)
        if found is not None and found.seen == self:
            return
        control = aws.client("bedrock-agentcore-control")
        if found is not None and found.seen.version != self.version:
            # AWS does not say which version served before; `rollback` needs to know.
            control.tag_resource(resourceArn=str(found.outputs["arn"]), tags={BEFORE_TAG: str(found.seen.version)})
        runtime, _, endpoint = id.partition("/")
        control.update_agent_runtime_endpoint(
            agentRuntimeId=runtime, endpointName=endpoint, agentRuntimeVersion=require_known(self.version), description=self.description
        )

    def ready(self, aws: Aws, id: str) -> Ready | Waiting | Problem:
        runtime, _, name = id.partition("/")
        endpoint: Any = aws.client("bedrock-agentcore-control").get_agent_runtime_endpoint(agentRuntimeId=runtime, endpointName=name)
        status = endpoint["status"]
        if status == "READY":
            return Ready()
        return Waiting(f"endpoint {self.endpoint_name} is {status}") if status in _ON_ITS_WAY else _failed(self, endpoint)

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        runtime, _, name = id.partition("/")
        if _get_endpoint(aws, id).get("status") != "DELETING":
            client = aws.client("bedrock-agentcore-control")
            or_none(lambda: client.delete_agent_runtime_endpoint(agentRuntimeId=runtime, endpointName=name), _GONE)

    @classmethod
    def blockers(cls, aws: Aws, id: str, code: str) -> Waiting | Problem | None:
        return Waiting(f"endpoint {id} to finish its change")

    def console(self) -> Steps:
        return (
            f"Amazon Bedrock AgentCore > Runtimes > {self.runtime_id} > Endpoints > Create endpoint",
            f"Name: {self.endpoint_name}",
            f"Version: {self.version}",
            f"Description: {self.description}",
            "Create endpoint",
        )

    def template(self) -> CfnResource:
        return cfn(
            self.KIND,
            {"invocation_url": "", "arn": "AgentRuntimeEndpointArn", "version_before": ""},
            AgentRuntimeId=self.runtime_id,
            Name=self.endpoint_name,
            AgentRuntimeVersion=self.version,
            Description=self.description,
        )

    FAILURES: ClassVar[Failures] = {
        (operation, "ConflictException"): lambda endpoint: Problem(
            code="AGENTCORE-ENDPOINT-BUSY",
            what="An endpoint of the runtime was not created, changed or deleted.",
            why="It exists already, or another change of it or of its runtime is still under way.",
            do=(
                "See Amazon Bedrock AgentCore > Runtimes > (runtime) > Endpoints, and wait until the endpoint is Ready.",
                "Then run the same command again; it continues where it stopped.",
            ),
        )
        for operation in ("CreateAgentRuntimeEndpoint", "UpdateAgentRuntimeEndpoint", "DeleteAgentRuntimeEndpoint")
    } | {
        (operation, code): lambda endpoint: Problem(
            code="AGENTCORE-ENDPOINT-REFUSED",
            what=f"Endpoint {endpoint.endpoint_name} was not set to version {endpoint.version}.",
            why="Its runtime, or this version of it, does not exist, or the runtime has as many endpoints as the quota allows.",
            do=(
                "Delete endpoints that nobody uses: Amazon Bedrock AgentCore > Runtimes > (runtime) > Endpoints.",
                "Run the same command again; what was deleted outside of this tool is created again first.",
            ),
        )
        for operation in ("CreateAgentRuntimeEndpoint", "UpdateAgentRuntimeEndpoint")
        for code in ("ResourceNotFoundException", "ValidationException", "ServiceQuotaExceededException")
    }


def _list_endpoints(aws: Aws, runtime: str) -> tuple[Owned, ...]:
    """List the endpoints of a runtime but DEFAULT, which AWS creates and deletes with it."""
    pages = aws.client("bedrock-agentcore-control").get_paginator("list_agent_runtime_endpoints").paginate(agentRuntimeId=runtime)
    endpoints = [endpoint for page in pages for endpoint in page["runtimeEndpoints"]]
    return tuple(
        Owned(f"{runtime}/{endpoint['name']}", endpoint["name"])
        for endpoint in endpoints
        if endpoint["name"] != "DEFAULT" and endpoint["status"] != "DELETING"
    )


def _get_endpoint(aws: Aws, id: str) -> dict[str, Any]:
    runtime, _, name = id.partition("/")
    client = aws.client("bedrock-agentcore-control")
    answer: Any = or_none(lambda: client.get_agent_runtime_endpoint(agentRuntimeId=runtime, endpointName=name), _GONE)
    return answer or {}


def _failed(wanted: RuntimeEndpoint, endpoint: Mapping[str, Any]) -> Problem:
    return Problem(
        code="AGENTCORE-ENDPOINT-FAILED",
        what=f"Endpoint {wanted.endpoint_name} is {endpoint['status']}.",
        why=endpoint.get("failureReason") or "AgentCore gave no reason.",
        do=(
            "Fix the cause given above, then run the same command again. Until then a previous version stays in use.",
            "See the runtime's log group /aws/bedrock-agentcore/runtimes/ in CloudWatch.",
        ),
    )

"""AWS::BedrockAgentCore::Runtime"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import quote

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
from sre_agent_deploy.resources.logs_log_group import LogGroup
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws


@dataclass(frozen=True)
class RuntimeNetwork:
    """AgentCore's own network, or network interfaces in subnets of a VPC. AgentCore lets interfaces stay for hours after their runtime."""

    subnet_ids: tuple[str, ...] = ()
    security_group_ids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # These are sets that AWS may answer in an order of its own.
        for field in ("subnet_ids", "security_group_ids"):
            object.__setattr__(self, field, tuple(sorted(getattr(self, field))))

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Self:
        """Read it as AgentCore shows it."""
        vpc = given.get("networkModeConfig", {})
        return cls(tuple(vpc.get("subnets", ())), tuple(vpc.get("securityGroups", ())))

    @property
    def mode(self) -> str:
        return "VPC" if self.subnet_ids or self.security_group_ids else "PUBLIC"

    def settings(self) -> dict[str, Any]:
        """Build the value of `networkConfiguration`."""
        vpc = {"securityGroups": list(self.security_group_ids), "subnets": list(self.subnet_ids)}
        return {"networkMode": self.mode, **({"networkModeConfig": vpc} if self.mode == "VPC" else {})}

    def template(self) -> dict[str, Any]:
        """Build the value of `NetworkConfiguration`."""
        vpc = {"SecurityGroups": list(self.security_group_ids), "Subnets": list(self.subnet_ids)}
        return {"NetworkMode": self.mode, **({"NetworkModeConfig": vpc} if self.mode == "VPC" else {})}

    def console(self) -> tuple[str, ...]:
        """Describe the fields of the Console."""
        if self.mode == "PUBLIC":
            return ("Network: PUBLIC",)
        groups = ", ".join(self.security_group_ids)
        return ("Network: VPC", f"Subnets: {', '.join(self.subnet_ids)}", f"Security groups: {groups}")

    def __str__(self) -> str:
        return "; ".join(self.console()).removeprefix("Network: ")


PUBLIC = RuntimeNetwork()


_GONE = ("ResourceNotFoundException",)
_ON_ITS_WAY = frozenset({"CREATING", "UPDATING"})
_EXTENSIONS = frozenset({"hooksConfiguration", "filesystemConfigurations", "capacityProviderConfiguration", "allowedPorts"})


@dataclass(frozen=True, kw_only=True)
class AgentRuntime(Defaults):
    """Runs the assistant on AgentCore Runtime: a package in S3 or an image in ECR, for the named clients of one identity provider.

    Each update makes another version. The endpoint DEFAULT follows it; every other endpoint stays on the version that it names.
    """

    KIND: ClassVar[str] = "AWS::BedrockAgentCore::Runtime"
    FIXED: ClassVar[frozenset[str]] = frozenset({"runtime_name"})
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"runtime_name"})
    CHANGES_WITH_UPDATE: ClassVar[frozenset[str]] = frozenset({"version"})
    EXEMPT: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("allowed_audience", "extensions"), "a new runtime has none; what is added by hand is removed"
    )
    NOT_COMPARED: ClassVar[Mapping[str, str]] = {
        "lifecycleConfiguration": "how long a session may live is no secret and costs no more than is used; an update keeps it"
    }
    MOST_TAGS: ClassVar[int] = 50
    LOSES: ClassVar[str] = "address"
    TOKEN: ClassVar[bool] = True
    UNIQUE: ClassVar[bool] = True
    ID_FROM_AWS: ClassVar[bool] = True
    # It works with its role, checks tokens by its pool and makes its log groups anew until it is gone.
    DELETE_BEFORE: ClassVar[frozenset[str]] = frozenset({IamRole.KIND, UserPool.KIND, LogGroup.KIND})
    # AgentCore tries to assume the role while it creates the runtime; until IAM has propagated a new role, it can't.
    PROPAGATES: ClassVar[frozenset[str]] = frozenset({"AccessDeniedException", "ValidationException"})
    BLOCKERS: ClassVar[frozenset[tuple[str, str]]] = frozenset({("DeleteAgentRuntime", "ConflictException")})

    name: str
    runtime_name: str
    description: str
    role_arn: Later[str]
    bucket_name: LaterText
    """The bucket of the package; empty if an image runs."""
    artifact: LaterText
    """The key of the package in its bucket, or the URI of the image in Amazon ECR."""
    discovery_url: LaterText
    allowed_clients: tuple[LaterText, ...]
    environment: tuple[tuple[str, LaterText], ...] = ()
    allowed_scopes: tuple[LaterText, ...] = ()
    headers: tuple[str, ...] = ("Authorization",)
    """The headers of a caller that the package gets besides AgentCore's own."""
    entry_point: tuple[str, ...] = ("main.py",)
    python: str = "PYTHON_3_12"
    network: RuntimeNetwork = PUBLIC
    server_protocol: str = "HTTP"
    allowed_audience: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    """Settings by which functions, files or machines of others take part in each session."""

    def __post_init__(self) -> None:
        # These are sets that AWS may answer in an order of its own.
        for field in ("allowed_clients", "allowed_scopes", "headers", "environment"):
            object.__setattr__(self, field, tuple(sorted(getattr(self, field), key=str)))

    def natural_id(self, aws: Aws) -> str:
        return next((id for id, name in _list_runtimes(aws) if name == self.runtime_name), "")

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        # A listing shows no tags: each is asked.
        found = [cls.read(aws, id, "") for id, _ in _list_runtimes(aws)]
        tagged = [(runtime.id, runtime.tags or {}) for runtime in found if runtime]
        return tuple(Owned.tagged(id, tags) for id, tags in tagged if tags.get(DEPLOYMENT_TAG) == deployment)

    @classmethod
    def deployments(cls, aws: Aws) -> Iterable[str]:
        return (name.replace("_", "-") for _, name in _list_runtimes(aws))

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        runtime = _get_runtime(aws, id)
        arn = runtime.get("agentRuntimeArn", "")
        tags = or_none(lambda: aws.client("bedrock-agentcore-control").list_tags_for_resource(resourceArn=arn), _GONE) if runtime else None
        if tags is None:
            return None
        # Until it is really gone its name is not free.
        going = {"DELETING": "it is being deleted", "CREATE_FAILED": "its creation failed"}.get(runtime["status"], "")
        jwt = runtime.get("authorizerConfiguration", {}).get("customJWTAuthorizer", {})
        code = runtime["agentRuntimeArtifact"].get("codeConfiguration", {})
        package = code.get("code", {}).get("s3", {})
        image = runtime["agentRuntimeArtifact"].get("containerConfiguration", {}).get("containerUri", "")
        seen = cls(
            name=name,
            runtime_name=runtime["agentRuntimeName"],
            description=runtime.get("description", ""),
            role_arn=runtime["roleArn"],
            bucket_name=package.get("bucket", ""),
            # A version that failed is a difference, though its settings match: an update tries again.
            artifact=package.get("prefix", image) + (" (UPDATE_FAILED)" if runtime["status"] == "UPDATE_FAILED" else ""),
            discovery_url=jwt.get("discoveryUrl", ""),
            allowed_clients=tuple(jwt.get("allowedClients", [])),
            allowed_scopes=tuple(jwt.get("allowedScopes", [])),
            allowed_audience=tuple(jwt.get("allowedAudience", [])),
            environment=tuple(runtime.get("environmentVariables", {}).items()),
            headers=tuple(runtime.get("requestHeaderConfiguration", {}).get("requestHeaderAllowlist", [])),
            # An image says itself what it starts, and with which Python.
            entry_point=tuple(code.get("entryPoint", ["main.py"])),
            python=code.get("runtime", "PYTHON_3_12"),
            network=RuntimeNetwork.parse(runtime.get("networkConfiguration", {})),
            server_protocol=runtime.get("protocolConfiguration", {}).get("serverProtocol", ""),
            extensions=tuple(sorted(key for key in _EXTENSIONS if runtime.get(key))),
        )
        outputs = {"runtime_id": id, "runtime_arn": arn, "version": runtime["agentRuntimeVersion"], "default_url": invocation_url(aws, arn)}
        return Found(id, seen, outputs, tags.get("tags", {}), going)

    def create(self, aws: Aws, mark: Mark) -> str:
        answer = aws.client("bedrock-agentcore-control").create_agent_runtime(
            agentRuntimeName=self.runtime_name, clientToken=mark.token, tags=mark.tags(), **self._settings()
        )
        return answer["agentRuntimeId"]

    def configure(self, aws: Aws, id: str) -> None:
        # Each update makes a version, and is refused while the runtime is CREATING: none where nothing differs.
        found = self.read(aws, id, self.name)
        if found is not None and found.seen == self:
            return
        seen = update_fields(aws.client("bedrock-agentcore-control"), "UpdateAgentRuntime", _get_runtime(aws, id))
        kept = {key: value for key, value in seen.items() if key not in _EXTENSIONS}
        aws.client("bedrock-agentcore-control").update_agent_runtime(**(kept | {"agentRuntimeId": id} | self._settings()))

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        arn = _get_runtime(aws, id).get("agentRuntimeArn", "")
        if changes.set:
            aws.client("bedrock-agentcore-control").tag_resource(resourceArn=arn, tags=changes.set)
        if changes.remove:
            aws.client("bedrock-agentcore-control").untag_resource(resourceArn=arn, tagKeys=changes.remove)

    def ready(self, aws: Aws, id: str) -> Ready | Waiting | Problem:
        runtime: Any = aws.client("bedrock-agentcore-control").get_agent_runtime(agentRuntimeId=id)
        status = runtime["status"]
        if status == "READY":
            return Ready()
        return Waiting(f"runtime {self.runtime_name} is {status}") if status in _ON_ITS_WAY else _failed(self, runtime)

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        if _get_runtime(aws, id).get("status") != "DELETING":
            or_none(lambda: aws.client("bedrock-agentcore-control").delete_agent_runtime(agentRuntimeId=id), _GONE)

    @classmethod
    def blockers(cls, aws: Aws, id: str, code: str) -> Waiting | Problem | None:
        pages = aws.client("bedrock-agentcore-control").get_paginator("list_agent_runtime_endpoints").paginate(agentRuntimeId=id)
        endpoints = [entry for page in pages for entry in page["runtimeEndpoints"] if entry["name"] != "DEFAULT"]
        staying = [entry["name"] for entry in endpoints if entry["status"] != "DELETING"]
        return _has_endpoints(id, staying) if staying else Waiting(f"the endpoints of runtime {id} to be deleted")

    def console(self) -> Steps:
        image, package = f"ECR container > Image URI: {self.artifact}", f"S3 source > Bucket: {self.bucket_name}; Key: {self.artifact}"
        return (
            "Amazon Bedrock AgentCore > Runtimes > Host agent",
            f"Name: {self.runtime_name}",
            f"Source type: {package if self.bucket_name else image}",
            f"Language/Runtime: {self.python}",
            f"Entry point: {', '.join(self.entry_point)}",
            f"Permissions > Use an existing service role: {self.role_arn}",
            f"Protocol: {self.server_protocol}",
            *self.network.console(),
            "Inbound Auth type: Use JSON Web Tokens (JWT) > Use existing identity provider configurations",
            f"Discovery URL: {self.discovery_url}",
            f"Allowed clients: {', '.join(map(str, self.allowed_clients))}",
            f"Allowed scopes: {', '.join(map(str, self.allowed_scopes)) or '(none)'}",
            f"Additional configurations > Description: {self.description}",
            f"Additional configurations > Request header allowlist: {', '.join(self.headers)}",
            *(f"Additional configurations > Environment variable: {key} = {value}" for key, value in self.environment),
            "Host agent",
        )

    def template(self) -> CfnResource:
        jwt = {"DiscoveryUrl": self.discovery_url, "AllowedClients": self.allowed_clients, "AllowedScopes": self.allowed_scopes}
        package = {"S3": {"Bucket": self.bucket_name, "Prefix": self.artifact}}
        code = {"CodeConfiguration": {"Code": package, "Runtime": self.python, "EntryPoint": self.entry_point}}
        return cfn(
            self.KIND,
            {"runtime_id": "AgentRuntimeId", "runtime_arn": "AgentRuntimeArn", "version": "AgentRuntimeVersion", "default_url": ""},
            AgentRuntimeName=self.runtime_name,
            Description=self.description,
            RoleArn=self.role_arn,
            AgentRuntimeArtifact=code if self.bucket_name else {"ContainerConfiguration": {"ContainerUri": self.artifact}},
            NetworkConfiguration=self.network.template(),
            ProtocolConfiguration=self.server_protocol,
            AuthorizerConfiguration={"CustomJWTAuthorizer": {key: value for key, value in jwt.items() if value}},
            RequestHeaderConfiguration={"RequestHeaderAllowlist": self.headers},
            EnvironmentVariables=dict(self.environment),
        )

    def _settings(self) -> dict[str, Any]:
        # Cognito's machine tokens have client_id and no aud, so clients are named and audiences are not.
        jwt = {
            "discoveryUrl": require_known(self.discovery_url),
            "allowedClients": [require_known(client) for client in self.allowed_clients],
            "allowedScopes": [require_known(scope) for scope in self.allowed_scopes],
        }
        return {
            "description": self.description,
            "roleArn": require_known(self.role_arn),
            "agentRuntimeArtifact": self._artifact(),
            "networkConfiguration": self.network.settings(),
            "protocolConfiguration": {"serverProtocol": self.server_protocol},
            "authorizerConfiguration": {"customJWTAuthorizer": {key: value for key, value in jwt.items() if value}},
            "requestHeaderConfiguration": {"requestHeaderAllowlist": list(self.headers)},
            "environmentVariables": {key: require_known(value) for key, value in self.environment},
        }

    def _artifact(self) -> dict[str, Any]:
        if not self.bucket_name:
            return {"containerConfiguration": {"containerUri": require_known(self.artifact)}}
        package = {"bucket": require_known(self.bucket_name), "prefix": require_known(self.artifact)}
        return {"codeConfiguration": {"code": {"s3": package}, "runtime": self.python, "entryPoint": list(self.entry_point)}}

    def _refused(self) -> Problem:
        return Problem(
            code="AGENTCORE-RUNTIME-REFUSED",
            what=f"AgentCore does not accept runtime {self.runtime_name}.",
            why=f"It can't assume the role {self.role_arn}, can't read {self.artifact}, or one of the values breaks its rules.",
            do=(
                "Check that the package or image exists in this region, and that the identity you deploy with may read it.",
                "Check that the role's trust policy names bedrock-agentcore.amazonaws.com, and run the same command again: "
                "a role that is new may need minutes.",
                "A package may have 250 MB, and an image must be for arm64.",
            ),
            aws_docs="https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/runtime-troubleshooting.html",
        )

    FAILURES: ClassVar[Failures] = {
        ("CreateAgentRuntime", "ConflictException"): lambda runtime: Problem(
            code="AGENTCORE-RUNTIME-EXISTS",
            what=f"Runtime {runtime.runtime_name} was not created.",
            why="A runtime of this name exists in this account and region, or one is still being deleted.",
            do=(
                "If you have just cleaned up this deployment, wait a minute and run the same command again.",
                "Otherwise delete that runtime under Amazon Bedrock AgentCore > Runtimes, or set another `name:` for this deployment.",
            ),
        ),
        ("CreateAgentRuntime", "ValidationException"): _refused,
        ("UpdateAgentRuntime", "ValidationException"): _refused,
        ("UpdateAgentRuntime", "ConflictException"): lambda runtime: Problem(
            code="AGENTCORE-RUNTIME-BUSY",
            what=f"Runtime {runtime.runtime_name} was not updated.",
            why="Another change of it is still under way.",
            do=(
                "Wait until Amazon Bedrock AgentCore > Runtimes shows it as Ready.",
                "Then run the same command again; it continues where it stopped.",
            ),
        ),
        ("DeleteAgentRuntime", "ConflictException"): lambda _: Problem(
            code="AGENTCORE-RUNTIME-HAS-ENDPOINTS",
            what="The runtime was not deleted.",
            why="It still has endpoints: AWS deletes them in the background, or one was added by hand.",
            do=(
                "See which endpoints Amazon Bedrock AgentCore > Runtimes still lists, and delete those that remain after a minute.",
                "Then run the same command again.",
            ),
        ),
    } | {
        (operation, "ServiceQuotaExceededException"): lambda runtime: Problem(
            code="AGENTCORE-RUNTIME-QUOTA",
            what=f"Runtime {runtime.runtime_name} was not created or updated.",
            why="This account has as many runtimes in this region, or this runtime as many versions, as the quotas allow.",
            do=(
                "Delete runtimes that nobody uses: Amazon Bedrock AgentCore > Runtimes.",
                "Or ask for more under Service Quotas > Amazon Bedrock AgentCore. Then run the same command again.",
            ),
            aws_docs="https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/bedrock-agentcore-limits.html",
        )
        for operation in ("CreateAgentRuntime", "UpdateAgentRuntime")
    }


def invocation_url(aws: Aws, runtime_arn: str, endpoint: str = "DEFAULT") -> str:
    """Return the URL of an endpoint, at the address that the AWS client has for this region."""
    address = aws.client("bedrock-agentcore").meta.endpoint_url.rstrip("/")
    return f"{address}/runtimes/{quote(runtime_arn, safe='')}/invocations?qualifier={endpoint}"


def _list_runtimes(aws: Aws) -> list[tuple[str, str]]:
    """List the id and name of every runtime that is not being deleted."""
    pages = aws.client("bedrock-agentcore-control").get_paginator("list_agent_runtimes").paginate()
    runtimes = [runtime for page in pages for runtime in page["agentRuntimes"] if runtime["status"] != "DELETING"]
    return [(runtime["agentRuntimeId"], runtime["agentRuntimeName"]) for runtime in runtimes]


def _get_runtime(aws: Aws, id: str) -> dict[str, Any]:
    runtime: Any = or_none(lambda: aws.client("bedrock-agentcore-control").get_agent_runtime(agentRuntimeId=id), _GONE)
    return runtime or {}


def _failed(wanted: AgentRuntime, runtime: Mapping[str, Any]) -> Problem:
    return Problem(
        code="AGENTCORE-RUNTIME-FAILED",
        what=f"Runtime {wanted.runtime_name} is {runtime['status']}.",
        why=runtime.get("failureReason") or "AgentCore gave no reason.",
        do=(
            "Fix the cause given above, then run the same command again. Until then the previous version stays in use.",
            "If the runtime stays as it is, run cleanup for this deployment and deploy again.",
        ),
    )


def _has_endpoints(id: str, names: list[str]) -> Problem:
    return Problem(
        code="AGENTCORE-RUNTIME-HAS-ENDPOINTS",
        what=f"Runtime {id} was not deleted.",
        why=f"It still has the endpoints {', '.join(names)}: added by hand while it was being cleaned up, or not deletable.",
        do=(
            f"See why they remain: aws bedrock-agentcore-control list-agent-runtime-endpoints --agent-runtime-id {id}",
            "Run the same command again: it deletes every endpoint of the runtime.",
        ),
    )

"""The runtime operations of the control plane: runtimes, their versions, and the endpoints under which these are invoked."""

from __future__ import annotations

import secrets
import string
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from embedded_aws.agentcore.conventions import ClientTokens, Lifecycle, select_page
from embedded_aws.agentcore.errors import Violation, conflict, invalid, not_found, over_quota, unsupported_error
from embedded_aws.agentcore.gateways import refuse_bad_jwt, refuse_unassumable_role
from embedded_aws.agentcore.images import refuse_bad_image
from embedded_aws.agentcore.records import Registry
from embedded_aws.agentcore.runtime_records import DEFAULT_ENDPOINT, Runtime, RuntimeEndpoint, RuntimeVersion
from embedded_aws.moto_state import ec2_places
from embedded_aws.world import World
from sre_core import clock
from sre_core.bedrock import RUNTIME_ZONES

type Request = Mapping[str, Any]
type Answer = dict[str, Any]

_RUNTIMES_AT_MOST = 1000
_ENDPOINTS_AT_MOST = 10
_ID_LETTERS = string.ascii_letters + string.digits
_CHANGING = frozenset({"CREATING", "UPDATING", "DELETING"})
_NOT_ENFORCED = (
    "hooksConfiguration",
    "filesystemConfigurations",
    "capacityProviderConfiguration",
    "platformVersion",
    "allowedPorts",
    "resourceConfigurations",
    "metadataConfiguration",
)
_OF_A_REQUEST = frozenset({"clientToken", "tags", "agentRuntimeName", "agentRuntimeId"})


class Runtimes:
    """Creates, updates and deletes runtimes and endpoints. `retire` is called with a runtime and the versions that it still needs."""

    def __init__(
        self, world: World, registry: Registry, *, tokens: ClientTokens, lifecycle: Lifecycle, retire: Callable[[str, frozenset[int]], None]
    ) -> None:
        self._world = world
        self._registry = registry
        self._tokens = tokens
        self._lifecycle = lifecycle
        self._retire = retire

    async def create(self, request: Request) -> Answer:
        """Perform CreateAgentRuntime: version 1, with the endpoint DEFAULT."""
        if made := self._tokens.find_created("CreateAgentRuntime", request):
            return self._registry.runtimes[made].to_json()
        name = request["agentRuntimeName"]
        if any(runtime.name == name for runtime in self._registry.runtimes.values()):
            raise conflict(f"An agent with the specified name already exists: {name}")
        if len(self._registry.runtimes) >= _RUNTIMES_AT_MOST:
            raise over_quota(f"An account has at most {_RUNTIMES_AT_MOST} runtimes.")
        runtime = self._new_runtime(f"{name}-{''.join(secrets.choice(_ID_LETTERS) for _ in range(10))}", name, request)
        self._registry.runtimes[runtime.runtime_id] = runtime
        self._registry.tags[runtime.arn] = dict(request.get("tags", {}))
        self._registry.link_identity(runtime.runtime_id, runtime.workload_identity_arn)
        self._registry.endpoints[runtime.runtime_id] = {DEFAULT_ENDPOINT: _new_endpoint(runtime, DEFAULT_ENDPOINT, 1, "")}
        self._tokens.remember("CreateAgentRuntime", request, runtime.runtime_id)
        self._lifecycle.later(self._completion_of(runtime.runtime_id))
        return runtime.to_json()

    async def get(self, request: Request) -> Answer:
        """Perform GetAgentRuntime, of the latest version or of the one that the request names."""
        runtime = self._existing(request)
        if "version" not in request:
            return runtime.to_json()
        return runtime.to_json(self._version(runtime, request["version"]))

    async def update(self, request: Request) -> Answer:
        """Perform UpdateAgentRuntime: a new version with exactly what the request says; DEFAULT moves to it once it is ready."""
        before = self._existing(request)
        if before.status in _CHANGING:
            raise conflict(f"Agent {before.runtime_id} is in status {before.status} and can't be updated.")
        version = self._new_version(before.latest.number + 1, before.runtime_id, request)
        after = replace(before, versions=(*before.versions, version), status="UPDATING", updated_at=clock.now())
        self._registry.runtimes[before.runtime_id] = after
        self._lifecycle.later(self._completion_of(before.runtime_id))
        return after.to_json()

    async def list_all(self, request: Request) -> Answer:
        """Perform ListAgentRuntimes."""
        found, following = select_page(list(self._registry.runtimes.values()), request)
        return {"agentRuntimes": [runtime.to_json() for runtime in found], **following}

    async def list_versions(self, request: Request) -> Answer:
        """Perform ListAgentRuntimeVersions."""
        runtime = self._existing(request)
        found, following = select_page(runtime.versions, request)
        return {"agentRuntimes": [runtime.to_json(version) for version in found], **following}

    async def delete(self, request: Request) -> Answer:
        """Perform DeleteAgentRuntime: DEFAULT goes with it; it is refused while it has another endpoint."""
        runtime = self._existing(request)
        if "version" in request:
            raise unsupported_error("agentRuntimeVersion")
        if set(self._registry.endpoints[runtime.runtime_id]) - {DEFAULT_ENDPOINT}:
            raise conflict(f"Agent {runtime.runtime_id} has endpoints. Delete all endpoints before deleting the agent.")
        if runtime.status in _CHANGING - {"DELETING"}:
            raise conflict(f"Agent {runtime.runtime_id} is in status {runtime.status} and can't be deleted.")
        if runtime.status != "DELETING":
            runtime = replace(runtime, status="DELETING", updated_at=clock.now())
            self._registry.runtimes[runtime.runtime_id] = runtime
            self._lifecycle.later(self._removal_of(runtime))
        return runtime.to_json()

    async def create_endpoint(self, request: Request) -> Answer:
        """Perform CreateAgentRuntimeEndpoint, on the latest version or the one that the request names."""
        runtime = self._existing(request)
        if made := self._tokens.find_created("CreateAgentRuntimeEndpoint", request):
            return self._registry.endpoints[runtime.runtime_id][made.partition("/")[2]].to_json()
        endpoints = self._registry.endpoints[runtime.runtime_id]
        if request["name"] in endpoints:
            raise conflict(f"An endpoint with the specified name already exists: {request['name']}")
        if runtime.status in _CHANGING:
            raise conflict(f"Agent {runtime.runtime_id} is in status {runtime.status}.")
        if len(endpoints) >= _ENDPOINTS_AT_MOST:
            raise over_quota(f"A runtime has at most {_ENDPOINTS_AT_MOST} endpoints.")
        version = self._version(runtime, request["agentRuntimeVersion"]) if "agentRuntimeVersion" in request else runtime.latest
        endpoint = _new_endpoint(runtime, request["name"], version.number, request.get("description", ""))
        endpoints[endpoint.name] = endpoint
        self._registry.tags[endpoint.arn] = dict(request.get("tags", {}))
        self._tokens.remember("CreateAgentRuntimeEndpoint", request, f"{runtime.runtime_id}/{endpoint.name}")
        self._lifecycle.later(self._switch_of(runtime.runtime_id, endpoint.name))
        return endpoint.to_json()

    async def get_endpoint(self, request: Request) -> Answer:
        """Perform GetAgentRuntimeEndpoint."""
        return self._endpoint(request).to_json()

    async def update_endpoint(self, request: Request) -> Answer:
        """Perform UpdateAgentRuntimeEndpoint: the version before serves until the new one does."""
        runtime, before = self._existing(request), self._endpoint(request)
        if before.name == DEFAULT_ENDPOINT:
            raise invalid("The endpoint DEFAULT can't be updated.", Violation("endpointName", "must not be DEFAULT"))
        if before.status in _CHANGING:
            raise conflict(f"Endpoint {before.name} is in status {before.status} and can't be updated.")
        named = request.get("agentRuntimeVersion", str(before.target))
        after = replace(
            before,
            target=self._version(runtime, named).number,
            description=request.get("description", before.description),
            status="UPDATING",
            updated_at=clock.now(),
        )
        self._registry.endpoints[runtime.runtime_id][after.name] = after
        self._lifecycle.later(self._switch_of(runtime.runtime_id, after.name))
        return after.to_json()

    async def list_endpoints(self, request: Request) -> Answer:
        """Perform ListAgentRuntimeEndpoints."""
        found, following = select_page(list(self._registry.endpoints[self._existing(request).runtime_id].values()), request)
        return {"runtimeEndpoints": [endpoint.to_json() for endpoint in found], **following}

    async def delete_endpoint(self, request: Request) -> Answer:
        """Perform DeleteAgentRuntimeEndpoint."""
        endpoint = self._endpoint(request)
        if endpoint.name == DEFAULT_ENDPOINT:
            raise conflict("The endpoint DEFAULT is deleted with its agent.")
        if endpoint.status in _CHANGING - {"DELETING"}:
            raise conflict(f"Endpoint {endpoint.name} is in status {endpoint.status} and can't be deleted.")
        if endpoint.status != "DELETING":
            endpoint = replace(endpoint, status="DELETING", updated_at=clock.now())
            self._registry.endpoints[endpoint.runtime][endpoint.name] = endpoint
            self._lifecycle.later(self._endpoint_removal_of(endpoint))
        return endpoint.to_json()

    def _existing(self, request: Request) -> Runtime:
        found = self._registry.runtimes.get(request["agentRuntimeId"])
        if found is None:
            raise not_found(f"Agent not found: {request['agentRuntimeId']}")
        return found

    def _version(self, runtime: Runtime, number: str) -> RuntimeVersion:
        found = runtime.version(int(number))
        if found is None:
            raise not_found(f"Agent {runtime.runtime_id} has no version {number}.")
        return found

    def _endpoint(self, request: Request) -> RuntimeEndpoint:
        found = self._registry.endpoints[self._existing(request).runtime_id].get(request["endpointName"])
        if found is None:
            raise not_found(f"Endpoint not found: {request['endpointName']}")
        return found

    def _new_runtime(self, runtime_id: str, name: str, request: Request) -> Runtime:
        moment = clock.now()
        directory = f"arn:aws:bedrock-agentcore:{self._world.region}:{self._world.account_id}:workload-identity-directory"
        return Runtime(
            runtime_id=runtime_id,
            arn=self._arn(runtime_id),
            name=name,
            workload_identity_arn=f"{directory}/default/workload-identity/{runtime_id}",
            created_at=moment,
            updated_at=moment,
            versions=(self._new_version(1, runtime_id, request),),
        )

    def _new_version(self, number: int, runtime_id: str, request: Request) -> RuntimeVersion:
        """Create a version of the declaration inside a request, after every check that AWS performs at once."""
        for member in (name for name in _NOT_ENFORCED if name in request):
            raise unsupported_error(member)
        jwt = request.get("authorizerConfiguration", {}).get("customJWTAuthorizer")
        if jwt is None:
            raise unsupported_error("A runtime without customJWTAuthorizer, which is invoked with signatures,", "Give it one.")
        refuse_bad_jwt(jwt)
        package = self._read_package(request["agentRuntimeArtifact"], request["roleArn"])
        self._refuse_bad_network(request["networkConfiguration"])
        refuse_unassumable_role(self._world.account_id, request["roleArn"], self._arn(runtime_id))
        declared = {key: value for key, value in request.items() if key not in _OF_A_REQUEST}
        return RuntimeVersion(number=number, declared=declared, package=package, created_at=clock.now())

    def _refuse_bad_network(self, network: Mapping[str, Any]) -> None:
        """Refuse subnets and security groups that are absent, of several VPCs, or in a zone without AgentCore. None is really used."""
        if (network["networkMode"] == "VPC") is not ("networkModeConfig" in network):
            message = "networkModeConfig is required with network mode VPC, and not allowed with PUBLIC."
            raise invalid(message, Violation("networkConfiguration.networkModeConfig", message))
        given = network.get("networkModeConfig", {})
        places = ec2_places(self._world.account_id, self._world.region, (*given.get("subnets", ()), *given.get("securityGroups", ())))
        supported = RUNTIME_ZONES.get(self._world.region, frozenset())
        for id, place in places.items():
            if place is None:
                message = f"{id} does not exist in this account and region."
            elif place.zone_id and supported and place.zone_id not in supported:
                message = f"{id} is in the Availability Zone {place.zone_id}; supported are {', '.join(sorted(supported))}."
            else:
                continue
            raise invalid(message, Violation("networkConfiguration.networkModeConfig", message))
        if len({place.vpc_id for place in places.values() if place}) > 1:
            message = "The subnets and security groups are of more than one VPC."
            raise invalid(message, Violation("networkConfiguration.networkModeConfig", message))

    def _read_package(self, artifact: Mapping[str, Any], role_arn: str) -> bytes | None:
        """Read the package of a version; None for an image, which is checked and not pulled."""
        if "containerConfiguration" in artifact:
            refuse_bad_image(self._world, artifact["containerConfiguration"]["containerUri"], role_arn)
            return None
        code = artifact["codeConfiguration"]
        if "versionId" in code["code"]["s3"]:
            raise unsupported_error("agentRuntimeArtifact.codeConfiguration.code.s3.versionId")
        if not code["runtime"].startswith("PYTHON") or not code["entryPoint"][-1].endswith(".py"):
            raise unsupported_error("agentRuntimeArtifact.codeConfiguration.runtime", "It runs Python files, with its own Python.")
        uri = f"s3://{code['code']['s3']['bucket']}/{code['code']['s3']['prefix']}"
        package = self._world.s3_object(uri)
        if package is None:
            message = f"The code artifact {uri} does not exist or can't be read."
            raise invalid(message, Violation("agentRuntimeArtifact.codeConfiguration.code.s3", message))
        return package

    def _arn(self, runtime_id: str) -> str:
        return f"arn:aws:bedrock-agentcore:{self._world.region}:{self._world.account_id}:runtime/{runtime_id}"

    def _completion_of(self, runtime_id: str) -> Callable[[], Awaitable[None]]:
        async def step() -> None:
            runtime = self._registry.runtimes.get(runtime_id)
            if runtime is None or runtime.status not in ("CREATING", "UPDATING"):
                return
            self._registry.runtimes[runtime_id] = replace(runtime, status="READY", updated_at=clock.now())
            default = self._registry.endpoints[runtime_id][DEFAULT_ENDPOINT]
            self._set_live(replace(default, target=runtime.latest.number))

        return step

    def _switch_of(self, runtime_id: str, name: str) -> Callable[[], Awaitable[None]]:
        async def step() -> None:
            endpoint = self._registry.endpoints.get(runtime_id, {}).get(name)
            if endpoint is not None and endpoint.status in ("CREATING", "UPDATING"):
                self._set_live(endpoint)

        return step

    def _set_live(self, endpoint: RuntimeEndpoint) -> None:
        live = replace(endpoint, live=endpoint.target, status="READY", updated_at=clock.now())
        self._registry.endpoints[endpoint.runtime][endpoint.name] = live
        self._retire_unused(endpoint.runtime)

    def _retire_unused(self, runtime_id: str) -> None:
        needed = frozenset(endpoint.live for endpoint in self._registry.endpoints.get(runtime_id, {}).values())
        self._retire(runtime_id, needed)

    def _removal_of(self, runtime: Runtime) -> Callable[[], Awaitable[None]]:
        async def step() -> None:
            self._registry.runtimes.pop(runtime.runtime_id, None)
            self._registry.endpoints.pop(runtime.runtime_id, None)
            self._registry.unlink_identity(runtime.runtime_id)
            self._registry.forget(runtime.arn)
            self._tokens.forget(runtime.runtime_id)
            self._retire_unused(runtime.runtime_id)

        return step

    def _endpoint_removal_of(self, endpoint: RuntimeEndpoint) -> Callable[[], Awaitable[None]]:
        async def step() -> None:
            self._registry.endpoints.get(endpoint.runtime, {}).pop(endpoint.name, None)
            self._registry.forget(endpoint.arn)
            self._tokens.forget(f"{endpoint.runtime}/{endpoint.name}")
            self._retire_unused(endpoint.runtime)

        return step


def _new_endpoint(runtime: Runtime, name: str, version: int, description: str) -> RuntimeEndpoint:
    moment = clock.now()
    return RuntimeEndpoint(
        name=name,
        runtime=runtime.runtime_id,
        runtime_arn=runtime.arn,
        live=0,
        target=version,
        created_at=moment,
        updated_at=moment,
        description=description,
    )

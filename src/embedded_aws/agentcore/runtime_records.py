"""The records of runtimes: values that are replaced, never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from embedded_aws.agentcore.records import JwtAuthorizer
from sre_core import clock

DEFAULT_ENDPOINT = "DEFAULT"
"""AWS keeps an endpoint of this name on the latest version."""
# https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/runtime-lifecycle-settings.html
_LIFECYCLE = {"idleRuntimeSessionTimeout": 900, "maxLifetime": 28800}


@dataclass(frozen=True, kw_only=True)
class RuntimeVersion:
    """One version of a runtime: everything that it runs with. It never changes."""

    number: int
    declared: Mapping[str, Any]
    package: bytes | None
    """The package, read when the version was created: it may be deleted, and the role need not read it. None for an image."""
    created_at: datetime

    @property
    def authorizer(self) -> JwtAuthorizer | None:
        return JwtAuthorizer.of(self.declared)

    @property
    def environment(self) -> Mapping[str, str]:
        return dict(self.declared.get("environmentVariables", {}))

    @property
    def entry_point(self) -> str:
        """Return the file of the package that is started."""
        return str(self.declared["agentRuntimeArtifact"]["codeConfiguration"]["entryPoint"][-1])

    @property
    def headers(self) -> frozenset[str]:
        """Return the headers of a caller that the package gets, in lower case."""
        return frozenset(name.lower() for name in self.declared.get("requestHeaderConfiguration", {}).get("requestHeaderAllowlist", ()))


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """A runtime with all its versions, the oldest first."""

    runtime_id: str
    arn: str
    name: str
    workload_identity_arn: str
    created_at: datetime
    updated_at: datetime
    versions: tuple[RuntimeVersion, ...]
    status: str = "CREATING"

    @property
    def latest(self) -> RuntimeVersion:
        return self.versions[-1]

    def version(self, number: int) -> RuntimeVersion | None:
        return next((version for version in self.versions if version.number == number), None)

    def to_json(self, version: RuntimeVersion | None = None) -> dict[str, Any]:
        """Return every member of any response about one version; each response takes those of its own shape."""
        shown = version or self.latest
        return {
            "description": "",
            "lifecycleConfiguration": _LIFECYCLE,
            "networkConfiguration": {"networkMode": "PUBLIC"},
            "protocolConfiguration": {"serverProtocol": "HTTP"},
            **shown.declared,
            "agentRuntimeName": self.name,
            "agentRuntimeId": self.runtime_id,
            "agentRuntimeArn": self.arn,
            "agentRuntimeVersion": str(shown.number),
            "createdAt": clock.stamp(self.created_at),
            "lastUpdatedAt": clock.stamp(self.updated_at),
            "status": self.status,
            "workloadIdentityDetails": {"workloadIdentityArn": self.workload_identity_arn},
        }


@dataclass(frozen=True, kw_only=True)
class RuntimeEndpoint:
    """A name under which one version of a runtime is invoked."""

    name: str
    runtime: str
    runtime_arn: str
    live: int
    target: int
    created_at: datetime
    updated_at: datetime
    description: str = ""
    status: str = "CREATING"

    @property
    def arn(self) -> str:
        return f"{self.runtime_arn}/runtime-endpoint/{self.name}"

    def to_json(self) -> dict[str, Any]:
        """Return every member of any response about an endpoint. It is live only once its first version is."""
        live = {"liveVersion": str(self.live)} if self.live else {}
        described = {"description": self.description} if self.description else {}
        return {
            **live,
            **described,
            "id": self.name,
            "name": self.name,
            "endpointName": self.name,
            "targetVersion": str(self.target),
            "agentRuntimeId": self.runtime,
            "agentRuntimeArn": self.runtime_arn,
            "agentRuntimeEndpointArn": self.arn,
            "createdAt": clock.stamp(self.created_at),
            "lastUpdatedAt": clock.stamp(self.updated_at),
            "status": self.status,
        }

"""machine.json: what runs on one machine, described once (docs/concepts/contracts.md; pure)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sre_core import release


@dataclass(frozen=True)
class SecretRef:
    """Where a secret is kept; `json_key` picks one value of a JSON secret."""

    secret_arn: str
    json_key: str = ""

    def to_json(self) -> dict[str, str]:
        return {"secret_arn": self.secret_arn} | ({"json_key": self.json_key} if self.json_key else {})


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One machine: its release, the values its services need, and its front door.

    `environment` and `credentials` hold every variable and credential that any service of the release asks for, by name.
    """

    deployment_id: str
    name: str
    region: str
    release_uri: str
    release_sha256: str
    status_uri: str
    environment: Mapping[str, str]
    credentials: Mapping[str, SecretRef]
    certificate: SecretRef
    domain: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "deployment_id": self.deployment_id,
            "machine": self.name,
            "region": self.region,
            "release": {"uri": self.release_uri, "sha256": self.release_sha256},
            "status": {"uri": self.status_uri},
            "services": [self._service(service) for service in release.services()],
            "front_door": {
                "domain": self.domain,
                "certificate": self.certificate.to_json(),
                "listeners": listeners(release.services()),
                "redirect_port": 80,
            },
            "timers": [],
        }

    def text(self) -> str:
        """One line of JSON; non-ASCII text stays as it is."""
        return json.dumps(self.to_json(), ensure_ascii=False, separators=(",", ":"))

    def _service(self, service: release.Service) -> dict[str, Any]:
        """Raises KeyError where the release asks for something that nobody provides: a fault of the blueprint."""
        return {
            "name": service.name,
            "command": list(service.command),
            "environment": {name: self.environment[name] for name in service.environment},
            "credentials": {name: self.credentials[name].to_json() for name in service.credentials},
            "health_path": service.health_path,
        }


def listeners(services: tuple[release.Service, ...]) -> list[dict[str, Any]]:
    """443 for everyone leads to all services; each backend's own port, inside the VPC, to that one."""
    everyone = [{"path": service.route, "service": service.name} for service in services]
    inside = [
        {"port": service.port, "scope": "vpc", "routes": [{"path": "/", "service": service.name}]} for service in services if service.port
    ]
    return [{"port": 443, "scope": "public", "routes": everyone}, *inside]

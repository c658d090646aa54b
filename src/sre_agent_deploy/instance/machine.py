"""`machine.json`: what runs on one machine, described once. User data, units and nginx all follow from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sre_core import release

REDIRECT_PORT = 80
HTTPS_PORT = 443


@dataclass(frozen=True)
class SecretRef:
    """Where a secret is kept, never the secret; `json_key` picks one value of a JSON secret."""

    secret_arn: str
    json_key: str = ""

    def to_json(self) -> dict[str, str]:
        return {"secret_arn": self.secret_arn} | ({"json_key": self.json_key} if self.json_key else {})


@dataclass(frozen=True)
class MachineService:
    """A program of the release on this machine."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    credentials: Mapping[str, SecretRef]
    health_path: str

    def to_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "command": list(self.command),
            "environment": dict(self.environment),
            "credentials": {name: reference.to_json() for name, reference in self.credentials.items()},
            "health_path": self.health_path,
        }


@dataclass(frozen=True)
class Route:
    """Requests below `path` go to `service`, with `path` replaced by `/`; the longest path wins."""

    path: str
    service: str


@dataclass(frozen=True)
class Listener:
    """A TLS port. `public` ones are reached from anywhere, `vpc` ones from inside the VPC."""

    port: int
    scope: str
    routes: tuple[Route, ...]

    def to_json(self) -> dict[str, object]:
        return {"port": self.port, "scope": self.scope, "routes": [{"path": each.path, "service": each.service} for each in self.routes]}


@dataclass(frozen=True)
class FrontDoor:
    """The ports of a machine, and the certificate that they present."""

    domain: str
    certificate: SecretRef
    listeners: tuple[Listener, ...]
    redirect_port: int

    def to_json(self) -> dict[str, object]:
        return {
            "domain": self.domain,
            "certificate": self.certificate.to_json(),
            "listeners": [listener.to_json() for listener in self.listeners],
            "redirect_port": self.redirect_port,
        }


@dataclass(frozen=True)
class MachineFile:
    """`/etc/sre-agent/machine.json` as a value: everything that runs on one machine."""

    deployment_id: str
    machine: str
    generation: int
    region: str
    release_uri: str
    release_sha256: str
    status_uri: str
    services: tuple[MachineService, ...]
    front_door: FrontDoor

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "deployment_id": self.deployment_id,
            "machine": self.machine,
            "generation": self.generation,
            "region": self.region,
            "release": {"uri": self.release_uri, "sha256": self.release_sha256},
            "status": {"uri": self.status_uri},
            "services": [service.to_json() for service in self.services],
            "front_door": self.front_door.to_json(),
            "timers": [],
        }

    @classmethod
    def from_json(cls, parts: Mapping[str, Any]) -> MachineFile:
        """What `to_json` wrote; the machine's own bootstrap reads it. Raises KeyError on another form."""
        return cls(
            deployment_id=parts["deployment_id"],
            machine=parts["machine"],
            generation=parts["generation"],
            region=parts["region"],
            release_uri=parts["release"]["uri"],
            release_sha256=parts["release"]["sha256"],
            status_uri=parts["status"]["uri"],
            services=tuple(_service_from(service) for service in parts["services"]),
            front_door=_front_door_from(parts["front_door"]),
        )


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine as the blueprint wants it: the release, and every value and credential that its services ask for.

    `environment` and `credentials` are keyed by the names that `release.json` uses.
    """

    deployment_id: str
    name: str
    generation: int = 1
    region: str
    release_uri: str
    release_sha256: str
    status_uri: str
    environment: Mapping[str, str]
    credentials: Mapping[str, SecretRef]
    certificate: SecretRef
    domain: str = ""

    def file(self) -> MachineFile:
        """Each service with what it needs. KeyError names what nobody provides: a fault of the blueprint."""
        services = release.services()
        return MachineFile(
            deployment_id=self.deployment_id,
            machine=self.name,
            generation=self.generation,
            region=self.region,
            release_uri=self.release_uri,
            release_sha256=self.release_sha256,
            status_uri=self.status_uri,
            services=tuple(self._service(service) for service in services),
            front_door=FrontDoor(self.domain, self.certificate, listeners(services), REDIRECT_PORT),
        )

    def to_json(self) -> dict[str, Any]:
        return self.file().to_json()

    def text(self) -> str:
        """Nothing is escaped: a value that AWS will only choose is found again in the text by its spelling."""
        return json.dumps(self.to_json(), indent=1, ensure_ascii=False)

    def _service(self, service: release.Service) -> MachineService:
        return MachineService(
            name=service.name,
            command=service.command,
            environment={name: self.environment[name] for name in service.environment},
            credentials={name: self.credentials[name] for name in service.credentials},
            health_path=service.health_path,
        )


def listeners(services: tuple[release.Service, ...]) -> tuple[Listener, ...]:
    """443 for everything, by path, and for each backend its own port inside the VPC."""
    public = Listener(HTTPS_PORT, "public", tuple(Route(service.route, service.name) for service in services))
    inside = (Listener(service.port, "vpc", (Route("/", service.name),)) for service in services if service.port)
    return (public, *inside)


def _service_from(parts: Mapping[str, Any]) -> MachineService:
    credentials = {name: _secret_from(reference) for name, reference in parts["credentials"].items()}
    return MachineService(parts["name"], tuple(parts["command"]), parts["environment"], credentials, parts["health_path"])


def _front_door_from(parts: Mapping[str, Any]) -> FrontDoor:
    opened = tuple(
        Listener(each["port"], each["scope"], tuple(Route(route["path"], route["service"]) for route in each["routes"]))
        for each in parts["listeners"]
    )
    return FrontDoor(parts["domain"], _secret_from(parts["certificate"]), opened, parts["redirect_port"])


def _secret_from(parts: Mapping[str, str]) -> SecretRef:
    return SecretRef(parts["secret_arn"], parts.get("json_key", ""))

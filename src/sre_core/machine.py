"""`machine.json`: everything that runs on one machine. The deployer writes it; bootstrap and instance host read it.

It needs the standard library only: the bootstrap runs before any library is installed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MACHINE_FILE = "/etc/sre-agent/machine.json"
SCHEMA = 1
CHALLENGE_PATH = "/.well-known/acme-challenge/"
"""Where an ACME authority looks on the redirect port (RFC 8555 section 8.3)."""

STATUS_FOLDER = "status"
"""The folder below the prefix of a deployment in which its machines report."""
BACKUPS_FOLDER = "backups"
"""The folder of scheduled backups below the prefix of a deployment."""
BACKUP_SOURCE_FILE = "backup-source.zip"
"""What each deployment leaves for them beside the reports of the machine: configuration, state, and of what a backup is made."""

# The values of a secret that may be used, the one to use first; the others are there while it is rotated.
STAGES = ("AWSCURRENT", "AWSPENDING", "AWSPREVIOUS")

# Names become file names, so they can't hold a slash or start with a dot.
_NAME = re.compile(r"[a-z][a-z0-9-]{0,40}")


@dataclass(frozen=True)
class SecretRef:
    """Where a secret is kept, never the secret; `json_key` picks one value of a JSON secret."""

    secret_arn: str
    json_key: str = ""
    overlaps: bool = False
    """While it is rotated, the values before and after it count too: the file has one a line."""

    def to_json(self) -> dict[str, Any]:
        key = {"json_key": self.json_key} if self.json_key else {}
        return {"secret_arn": self.secret_arn, **key, **({"overlaps": True} if self.overlaps else {})}

    @classmethod
    def from_json(cls, parts: Mapping[str, Any]) -> SecretRef:
        return cls(parts["secret_arn"], parts.get("json_key") or "", parts.get("overlaps") is True)


@dataclass(frozen=True)
class MachineService:
    """A program of the release, what it reads, and the path that answers 200 while it is healthy.

    `uses_role` says that it calls AWS with the role of the instance; any other can't get the role's credentials. `keeps_state` gives
    it a folder on this machine's disk, which `$STATE_DIRECTORY` names.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    credentials: Mapping[str, SecretRef]
    health_path: str
    uses_role: bool = False
    keeps_state: bool = False

    def to_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "command": list(self.command),
            "environment": dict(self.environment),
            "credentials": {name: reference.to_json() for name, reference in self.credentials.items()},
            "health_path": self.health_path,
            **({"uses_role": True} if self.uses_role else {}),
            **({"keeps_state": True} if self.keeps_state else {}),
        }

    @classmethod
    def from_json(cls, parts: Mapping[str, Any]) -> MachineService:
        return cls(
            name=_check_name(parts["name"]),
            command=tuple(parts["command"]),
            environment=dict(parts["environment"]),
            credentials={_check_name(name): SecretRef.from_json(reference) for name, reference in parts["credentials"].items()},
            health_path=parts["health_path"],
            uses_role=parts.get("uses_role") is True,
            keeps_state=parts.get("keeps_state") is True,
        )


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

    @classmethod
    def from_json(cls, parts: Mapping[str, Any]) -> Listener:
        return cls(parts["port"], parts["scope"], tuple(Route(route["path"], route["service"]) for route in parts["routes"]))


@dataclass(frozen=True)
class FrontDoor:
    """The ports of a machine, and the certificate that they present. `redirect_port` leads from HTTP to HTTPS.

    `certificate_source` is the configuration's `tls.source`: it decides which renewal steps the owner reads.
    """

    domain: str
    certificate: SecretRef
    listeners: tuple[Listener, ...]
    redirect_port: int | None
    certificate_source: str = ""
    ipv6: bool = False
    """Its public ports are open over IPv6, too."""

    def to_json(self) -> dict[str, object]:
        return {
            "domain": self.domain,
            "certificate": self.certificate.to_json(),
            "certificate_source": self.certificate_source,
            "listeners": [listener.to_json() for listener in self.listeners],
            "redirect_port": self.redirect_port,
            **({"ipv6": True} if self.ipv6 else {}),
        }

    @classmethod
    def from_json(cls, parts: Mapping[str, Any]) -> FrontDoor:
        return cls(
            domain=parts.get("domain", ""),
            certificate=SecretRef.from_json(parts["certificate"]),
            listeners=tuple(map(Listener.from_json, parts["listeners"])),
            redirect_port=parts.get("redirect_port"),
            certificate_source=parts.get("certificate_source", ""),
            ipv6=parts.get("ipv6") is True,
        )


@dataclass(frozen=True)
class Monitoring:
    """The namespace of a machine's metrics, and the names of its log groups by what they keep."""

    namespace: str
    log_groups: Mapping[str, str]
    xray: bool = False
    """The machine's agent receives the spans of traces, too, and sends them to AWS X-Ray."""

    def to_json(self) -> dict[str, object]:
        return {"namespace": self.namespace, "log_groups": dict(self.log_groups), **({"xray": True} if self.xray else {})}

    @classmethod
    def from_json(cls, parts: Mapping[str, Any] | None) -> Monitoring | None:
        return cls(parts["namespace"], dict(parts["log_groups"]), parts.get("xray") is True) if parts else None


@dataclass(frozen=True)
class Updates:
    """Security updates that a machine installs each day by itself. It restarts for them in this window only; never where it is empty."""

    reboot_window: str

    @classmethod
    def from_json(cls, parts: Mapping[str, Any] | None) -> Updates | None:
        return cls(parts["reboot_window"]) if parts else None


@dataclass(frozen=True, kw_only=True)
class Backups:
    """The backup that a machine makes each day at a time (UTC): the `s3://bucket/prefix/` it is stored in, and for how many days."""

    at: str
    keep_days: int
    uri: str
    kms_key_arn: str = ""
    """The key that encrypts it; empty where the bucket says how."""

    def to_json(self) -> dict[str, object]:
        key = {"kms_key_arn": self.kms_key_arn} if self.kms_key_arn else {}
        return {"at": self.at, "keep_days": self.keep_days, "uri": self.uri, **key}

    @classmethod
    def from_json(cls, parts: Mapping[str, Any] | None) -> Backups | None:
        if not parts:
            return None
        return cls(at=parts["at"], keep_days=parts["keep_days"], uri=parts["uri"], kms_key_arn=parts.get("kms_key_arn", ""))


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Everything that runs on one machine."""

    deployment_id: str
    name: str
    generation: int = 1
    region: str
    release_uri: str
    release_sha256: str
    status_uri: str
    services: tuple[MachineService, ...]
    front_door: FrontDoor
    monitoring: Monitoring | None = None
    """None where nothing is shipped."""
    updates: Updates | None = None
    """None where people install them."""
    backups: Backups | None = None
    """None where people make them."""
    software: str = ""
    """`docker-compose` or `docker`, for the machine's owners; empty for neither."""

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "deployment_id": self.deployment_id,
            "machine": self.name,
            "generation": self.generation,
            "region": self.region,
            "release": {"uri": self.release_uri, "sha256": self.release_sha256},
            "status": {"uri": self.status_uri},
            "services": [service.to_json() for service in self.services],
            "front_door": self.front_door.to_json(),
            "timers": [],
            **({"monitoring": self.monitoring.to_json()} if self.monitoring else {}),
            **({"updates": {"reboot_window": self.updates.reboot_window}} if self.updates else {}),
            **({"backups": self.backups.to_json()} if self.backups else {}),
            **({"software": self.software} if self.software else {}),
        }

    def text(self) -> str:
        """Return the text of the file. Nothing is escaped: a value that AWS chooses later is found in it by its spelling."""
        return json.dumps(self.to_json(), indent=1, ensure_ascii=False)

    @classmethod
    def parse(cls, text: str) -> Machine:
        """Read the text of a machine.json. Raises ValueError that says what is wrong."""
        try:
            machine = cls._from_json(json.loads(text))
        except (KeyError, TypeError, AttributeError) as wrong:
            raise ValueError(f"machine.json does not have the expected form: {type(wrong).__name__} {wrong}") from wrong
        machine._check_routes()
        return machine

    @classmethod
    def _from_json(cls, parts: Mapping[str, Any]) -> Machine:
        if parts["schema"] != SCHEMA:
            raise ValueError(f"machine.json has schema {parts['schema']!r}; this program reads schema {SCHEMA}")
        return cls(
            deployment_id=parts["deployment_id"],
            name=parts["machine"],
            generation=parts["generation"],
            region=parts["region"],
            release_uri=parts["release"]["uri"],
            release_sha256=parts["release"]["sha256"],
            status_uri=parts["status"]["uri"],
            services=tuple(map(MachineService.from_json, parts["services"])),
            front_door=FrontDoor.from_json(parts["front_door"]),
            monitoring=Monitoring.from_json(parts.get("monitoring")),
            updates=Updates.from_json(parts.get("updates")),
            backups=Backups.from_json(parts.get("backups")),
            software=parts.get("software", ""),
        )

    def _check_routes(self) -> None:
        known = {service.name for service in self.services}
        for listener in self.front_door.listeners:
            for route in listener.routes:
                if route.service not in known:
                    raise ValueError(f"the route {route.path} of port {listener.port} leads to {route.service}, which is no service")


def _check_name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(f"{text!r} is no name for a service or credential: lower-case letters, digits and hyphens")
    return text

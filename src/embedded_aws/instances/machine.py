"""What `/etc/sre-agent/machine.json` says, parsed once: the release, its services and the front door of one machine."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Names become file names, so they can't hold a slash or start with a dot.
_NAME = re.compile(r"[a-z][a-z0-9-]{0,40}")


@dataclass(frozen=True)
class SecretRef:
    """Where a secret is kept; `json_key` picks one value of a JSON secret."""

    secret_arn: str
    json_key: str | None = None


@dataclass(frozen=True)
class Service:
    """A program, what it reads, and the path on which it says that it is well."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    credentials: Mapping[str, SecretRef]
    health_path: str


@dataclass(frozen=True)
class Route:
    """Requests below `path` go to `service`, with `path` replaced by `/`."""

    path: str
    service: str


@dataclass(frozen=True)
class Listener:
    """A TLS port; `scope` is `public` or `vpc`."""

    port: int
    scope: str
    routes: tuple[Route, ...]


@dataclass(frozen=True)
class FrontDoor:
    """The ports of a machine and the certificate that they present."""

    certificate: SecretRef
    listeners: tuple[Listener, ...]
    redirect_port: int | None


@dataclass(frozen=True)
class Machine:
    """Everything that runs on one machine."""

    release_uri: str
    release_sha256: str
    status_uri: str
    services: tuple[Service, ...]
    front_door: FrontDoor

    @classmethod
    def parse(cls, text: str) -> Machine:
        """The machine that this JSON describes. Raises ValueError that says what is wrong."""
        try:
            return _machine(json.loads(text))
        except (KeyError, TypeError, AttributeError) as wrong:
            raise ValueError(f"machine.json does not have the expected form: {type(wrong).__name__} {wrong}") from wrong


def _machine(parts: Mapping[str, Any]) -> Machine:
    if parts["schema"] != 1:
        raise ValueError(f"machine.json has schema {parts['schema']!r}; this host reads schema 1")
    machine = Machine(
        release_uri=parts["release"]["uri"],
        release_sha256=parts["release"]["sha256"],
        status_uri=parts["status"]["uri"],
        services=tuple(_service(service) for service in parts["services"]),
        front_door=_front_door(parts["front_door"]),
    )
    known = {service.name for service in machine.services}
    for listener in machine.front_door.listeners:
        for route in listener.routes:
            if route.service not in known:
                raise ValueError(f"the route {route.path} of port {listener.port} leads to {route.service}, which is no service")
    return machine


def _service(parts: Mapping[str, Any]) -> Service:
    return Service(
        name=_name(parts["name"]),
        command=tuple(parts["command"]),
        environment=dict(parts["environment"]),
        credentials={_name(name): _secret_ref(reference) for name, reference in parts["credentials"].items()},
        health_path=parts["health_path"],
    )


def _front_door(parts: Mapping[str, Any]) -> FrontDoor:
    return FrontDoor(
        certificate=_secret_ref(parts["certificate"]),
        listeners=tuple(
            Listener(listener["port"], listener["scope"], tuple(Route(route["path"], route["service"]) for route in listener["routes"]))
            for listener in parts["listeners"]
        ),
        redirect_port=parts.get("redirect_port"),
    )


def _secret_ref(parts: Mapping[str, Any]) -> SecretRef:
    return SecretRef(parts["secret_arn"], parts.get("json_key"))


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(f"{text!r} is no name for a service or credential: lower-case letters, digits and hyphens")
    return text

"""The programs of a release, and how they run: the contract between packages that don't import one another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True)
class Service:
    """One program of a release.

    It is started as `python *command --socket PATH`, answers HTTP on that Unix socket, reads `environment` from its
    environment and each of `credentials` from a file of that name in `$CREDENTIALS_DIRECTORY` (systemd's convention).
    """

    name: str
    command: tuple[str, ...]
    port: int | None
    route: str
    health_path: str
    openapi: str | None
    environment: tuple[str, ...]
    credentials: tuple[str, ...]

    @classmethod
    def from_json(cls, parts: Mapping[str, object]) -> Service:
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in parts.items()}
        return cls(**values)  # type: ignore[arg-type]  # the file ships with this code and a test reads it


@cache
def services() -> tuple[Service, ...]:
    """List the services of this release, backends first, in the order of their ports."""
    document = json.loads(files("sre_core").joinpath("release.json").read_text(encoding="utf-8"))
    return tuple(Service.from_json(parts) for parts in document["services"])


def backends() -> tuple[Service, ...]:
    """List the services that the gateway has a target for: those with an OpenAPI document."""
    return tuple(service for service in services() if service.openapi)


def read_openapi(service: Service) -> str:
    """Read the OpenAPI document of a backend, without importing its package. Raises LookupError if that is not installed."""
    package, _, rest = str(service.openapi).partition("/")
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise LookupError(f"{package} is not installed beside sre_core")
    return (Path(spec.submodule_search_locations[0]) / rest).read_text(encoding="utf-8")


@cache
def count_tools() -> int:
    """Count the operations of all OpenAPI documents: the gateway makes a tool of each."""
    documents = (json.loads(read_openapi(service)) for service in backends())
    return sum(len(operations) for document in documents for operations in document["paths"].values())

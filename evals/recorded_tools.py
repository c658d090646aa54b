"""The real services over a recording, called in the process: what the assistant is asked about, without a network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any

import httpx2

from sre_agent.evidence import Answer, Argument
from sre_agent.tools import Tool
from sre_core import clock
from sre_core.redaction import redact_tree
from sre_core.secret import Secret
from sre_services.application import NAMES, Api, build_app
from sre_services.providers import open_provider


@dataclass(frozen=True)
class _Route:
    client: httpx2.AsyncClient
    tool: str
    path: str
    parameters: frozenset[str]
    described: Tool


class RecordedTools:
    """Answers as the gateway would, from the services' own applications."""

    def __init__(self, recording: str, end: str = "") -> None:
        settings = {"SRE_RECORDING": recording, "SRE_RECORDING_END": end}
        self._routes: dict[str, _Route] = {}
        for name in NAMES:
            api = Api.of(name)
            app = build_app(api, open_provider(name, settings), Secret("in-process"))
            client = httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app), base_url="http://in-process", headers={"X-API-Key": "in-process"}
            )
            for path, operation in _operations(name).items():
                parameters = frozenset(found["name"] for found in operation.get("parameters", ()))
                described = _describe(name, operation)
                self._routes[operation["operationId"]] = _Route(client, described.name, path, parameters, described)

    def offered(self) -> Mapping[str, Tool]:
        """Return the tools by operation, as the gateway makes them from the OpenAPI documents."""
        return {operation: route.described for operation, route in self._routes.items()}

    async def call(self, operation: str, /, **arguments: Argument) -> Answer:
        """What the service answers to this operation."""
        route = self._routes[operation]
        known = {name: value for name, value in arguments.items() if name in route.parameters and value != ""}
        response = await route.client.get(route.path, params=known)
        if response.status_code != 200:
            return Answer(tool=route.tool, arguments=known, at=clock.now(), failure=f"status {response.status_code}")
        data = redact_tree(json.loads(response.text))
        truncated = isinstance(data, dict) and data.get("truncated") is True
        digest, size = sha256(response.content).hexdigest(), len(response.text)
        return Answer(tool=route.tool, arguments=known, at=clock.now(), data=data, sha256=digest, size=size, truncated=truncated)


@cache
def _operations(service: str) -> Mapping[str, Mapping[str, Any]]:
    """Return what a service is asked, by path: the same for every recording."""
    return {path: methods["get"] for path, methods in Api.of(service).document()["paths"].items()}


def _describe(target: str, operation: Mapping[str, Any]) -> Tool:
    parameters = operation.get("parameters", ())
    schema = {
        "type": "object",
        "properties": {found["name"]: found["schema"] for found in parameters},
        "required": [found["name"] for found in parameters if found.get("required")],
    }
    return Tool(f"{target}___{operation['operationId']}", operation.get("description", ""), schema)

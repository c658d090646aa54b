"""The four real services over a recording, answering a gateway's calls."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import httpx2
from agent_gateway import Backend
from mcp.types import Tool

from sre_core.secret import Secret
from sre_services.application import NAMES, Api, build_app
from sre_services.providers import open_provider

KEY = "k-of-this-run"


@lru_cache(maxsize=4)
def tools_and_backend(recording: str) -> tuple[list[Tool], Backend]:
    """The tools as the gateway makes them from the OpenAPI documents, and what answers them. A recording must not change after this."""
    tools: list[Tool] = []
    routes: dict[str, tuple[httpx2.AsyncClient, str]] = {}
    for name in NAMES:
        api = Api.of(name)
        app = build_app(api, open_provider(name, {"SRE_RECORDING": recording}), Secret(KEY))
        client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://backend", headers={"X-API-Key": KEY})
        for path, methods in api.document()["paths"].items():
            tool = _tool(name, methods["get"])
            tools.append(tool)
            routes[tool.name] = (client, path)

    async def backend(tool: str, arguments: Mapping[str, Any]) -> tuple[int, str]:
        client, path = routes[tool]
        response = await client.get(path, params=dict(arguments))
        return response.status_code, response.text

    return tools, backend


def _tool(target: str, operation: Mapping[str, Any]) -> Tool:
    parameters = operation.get("parameters", [])
    properties = {found["name"]: found["schema"] for found in parameters}
    required = [found["name"] for found in parameters if found.get("required")]
    schema = {"type": "object", "properties": properties, "required": required}
    return Tool(name=f"{target}___{operation['operationId']}", description=operation.get("description", ""), input_schema=schema)

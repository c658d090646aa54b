"""Perform each MCP method of a gateway."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from embedded_aws.agentcore import mcp
from embedded_aws.agentcore.backend import Backend, Unreachable
from embedded_aws.agentcore.catalog import SEARCH_LISTING, SEARCH_TOOL, Catalog, Offer, search
from embedded_aws.agentcore.mcp import Era, Message, RpcError
from embedded_aws.agentcore.oauth2_tokens import TokenDenied
from embedded_aws.agentcore.outbound_credentials import OutboundCredentials
from embedded_aws.agentcore.records import Gateway

type Result = Mapping[str, Any]

_TOOLS_A_PAGE = 50
_OPAQUE = "An internal error occurred. Please retry later."
_CAPABILITIES: Mapping[str, Any] = {"tools": {"listChanged": False}}
_NOT_CACHED: Mapping[str, Any] = {"ttlMs": 0, "cacheScope": "private"}


class Methods:
    """Answers MCP requests of authorized clients."""

    def __init__(self, backend: Backend, credentials: OutboundCredentials) -> None:
        self._backend = backend
        self._credentials = credentials

    async def perform(
        self, message: Message, era: Era, gateway: Gateway, catalog: Catalog, headers: Mapping[str, str]
    ) -> Result | RpcError:
        """Return the result of one request. A target's server gets those of its headers that the target allows."""
        if message.method == "tools/call":
            return await self._call(message.params, gateway, catalog, headers)
        if message.method == "tools/list":
            return _page(message.params, gateway, catalog, era)
        if era is Era.LEGACY and message.method == "initialize":
            return _initialize(message.params, gateway)
        if era is Era.LEGACY and message.method == "ping":
            return {}
        if era is Era.STATELESS and message.method == "server/discover":
            return _discover(gateway)
        return RpcError(mcp.METHOD_NOT_FOUND, "Method not found")

    async def _call(self, params: Mapping[str, Any], gateway: Gateway, catalog: Catalog, headers: Mapping[str, str]) -> Result | RpcError:
        name, arguments = params.get("name"), params.get("arguments") or {}
        if not isinstance(name, str) or not isinstance(arguments, dict):
            return RpcError(mcp.INVALID_PARAMS, "A tool call needs a name and an object of arguments")
        if name == SEARCH_TOOL and gateway.searchable:
            query = arguments.get("query")
            return search(catalog, query) if isinstance(query, str) else _error_result(_no_query())
        offer = catalog.find(name)
        if offer is None:
            return RpcError(mcp.INVALID_PARAMS, f"Unknown tool: {name[:200]}")
        if refused := offer.tool.refusal(arguments):
            return _error_result(refused)
        passed = {name: headers[name.lower()] for name in offer.target.passed_headers if name.lower() in headers}
        return await self._send(offer, arguments, gateway, passed)

    async def _send(self, offer: Offer, arguments: Mapping[str, Any], gateway: Gateway, passed: Mapping[str, str]) -> Result:
        target = offer.target
        request = await self._credentials.authenticate(offer.tool.outbound(arguments), gateway, target.outbound)
        if isinstance(request, TokenDenied):
            return _internal(request.why, gateway)
        headers = {"accept": "application/json", **passed, **request.headers}
        if request.body is not None:
            headers["content-type"] = "application/json"
        reply = await self._backend.send(request.method, request.url, tls=target.tls, headers=headers, body=request.body)
        if isinstance(reply, Unreachable):
            return _internal(f"{_executing(target.target_id)}: {reply.why}", gateway)
        if 200 <= reply.status < 300:
            return {"isError": False, "content": [{"type": "text", "text": reply.text}]}
        return _internal(f"{_executing(target.target_id)}: {_status(reply.status)} {reply.status} - {reply.text}", gateway)


def _no_query() -> str:
    return "ValidationException - Parameter validation failed: Invalid request parameters:\n- Missing required field(s): 'query'"


def _executing(target_id: str) -> str:
    return f"OpenAPIClientException - Error executing HTTP request for {target_id}"


def _status(status: int) -> str:
    if status < 400:
        return "Redirects are not followed: API request was answered with status:"
    return f"{'Client' if status < 500 else 'Server'} error: API request failed with status:"


def _error_result(text: str) -> Result:
    return {"isError": True, "content": [{"type": "text", "text": text}]}


def _internal(why: str, gateway: Gateway) -> Result:
    """Return an error of the target; the details are shown only where the owner set `exceptionLevel` to DEBUG."""
    if not gateway.debug:
        return _error_result(_OPAQUE)
    return {**_error_result(why), "_meta": {"debug": {"type": "text", "text": why}}}


def _initialize(params: Mapping[str, Any], gateway: Gateway) -> Result | RpcError:
    version = mcp.negotiate_version(params.get("protocolVersion"), gateway.versions)
    if version is None:
        return RpcError(mcp.UNSUPPORTED_VERSION, "Unsupported protocol version", {"supported": list(gateway.versions), "requested": ""})
    return {"protocolVersion": version, "capabilities": _CAPABILITIES, "serverInfo": _server(gateway), **_instructions(gateway)}


def _discover(gateway: Gateway) -> Result:
    return {
        "supportedVersions": list(gateway.versions),
        "capabilities": _CAPABILITIES,
        "_meta": {"io.modelcontextprotocol/serverInfo": _server(gateway)},
        **_NOT_CACHED,
        **_instructions(gateway),
    }


def _server(gateway: Gateway) -> Result:
    return {"name": gateway.name, "version": "1.0.0"}


def _instructions(gateway: Gateway) -> Result:
    text = gateway.mcp.get("instructions")
    return {"instructions": text} if text else {}


def _page(params: Mapping[str, Any], gateway: Gateway, catalog: Catalog, era: Era) -> Result | RpcError:
    tools = (SEARCH_LISTING, *catalog.listing) if gateway.searchable else catalog.listing
    start = _position(params["cursor"], len(tools)) if params.get("cursor") is not None else 0
    if start is None:
        return RpcError(mcp.INVALID_PARAMS, "Invalid cursor")
    end = len(tools) if gateway.mcp.get("disableMcpListToolsPagination") else start + _TOOLS_A_PAGE
    following = {"nextCursor": base64.urlsafe_b64encode(str(end).encode()).decode()} if end < len(tools) else {}
    return {"tools": tools[start:end], **following, **(_NOT_CACHED if era is Era.STATELESS else {})}


def _position(cursor: object, count: int) -> int | None:
    try:
        position = int(base64.urlsafe_b64decode(cursor)) if isinstance(cursor, str) else -1
    except (binascii.Error, ValueError):
        return None
    return position if 0 <= position <= count else None

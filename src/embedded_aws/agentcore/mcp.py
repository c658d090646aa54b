"""Messages of the Model Context Protocol: the era that a request belongs to, and the rules of that era. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from embedded_aws.agentcore.records import LEGACY_VERSIONS, STATELESS_VERSIONS
from embedded_aws.http_messages import compact_json, parse_json

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
UNAUTHORIZED = -32001
HEADER_MISMATCH = -32020
UNSUPPORTED_VERSION = -32022

_VERSION_HEADER = "mcp-protocol-version"
_VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
_CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
_ENCODED_HEADER = re.compile(r"=\?base64\?(.*)\?=")
_STATUS_IN_STATELESS = {METHOD_NOT_FOUND: 404}


class Era(Enum):
    """The two ways to speak MCP: with a handshake first, or with everything in each request."""

    LEGACY = "legacy"
    STATELESS = "stateless"


@dataclass(frozen=True)
class RpcError:
    """A JSON-RPC error and its HTTP status."""

    code: int
    message: str
    data: Mapping[str, Any] | None = None
    status: int = 400


@dataclass(frozen=True)
class Message:
    """A JSON-RPC request, or a notification where it has no id."""

    id: str | int | None
    method: str
    params: Mapping[str, Any] = field(default_factory=dict)
    is_notification: bool = False
    is_answer: bool = False


def decode(body: bytes) -> Message | RpcError:
    """Decode the one message in the body of a POST. Batches are refused: only one of the versions ever had them."""
    try:
        decoded = parse_json(body)
    except ValueError:
        return RpcError(PARSE_ERROR, "Parse error")
    if not isinstance(decoded, dict) or decoded.get("jsonrpc") != "2.0":
        return RpcError(INVALID_REQUEST, "The body must be one JSON-RPC 2.0 message")
    if "method" not in decoded and ("result" in decoded or "error" in decoded):
        return Message(None, "", is_answer=True)
    return _request(decoded)


def _request(decoded: Mapping[str, Any]) -> Message | RpcError:
    method, params, request_id = decoded.get("method"), decoded.get("params", {}), decoded.get("id")
    if not isinstance(method, str) or not isinstance(params, dict):
        return RpcError(INVALID_REQUEST, "The message's method or params are malformed")
    if "id" not in decoded:
        return Message(None, method, params, is_notification=True)
    if not isinstance(request_id, (str, int)) or isinstance(request_id, bool):
        return RpcError(INVALID_REQUEST, "The message's id must be a string or an integer")
    return Message(request_id, method, params)


def id_in(message: Message | RpcError | None) -> str | int | None:
    """Return the id that the response to this message must have."""
    return message.id if isinstance(message, Message) else None


def era_of(message: Message, headers: Mapping[str, str], served: tuple[str, ...]) -> Era | RpcError:
    """Return the era of a message, or the first rule of its era that it breaks."""
    header = headers.get(_VERSION_HEADER)
    meta = message.params.get("_meta")
    named = meta.get(_VERSION_KEY) if isinstance(meta, dict) else None
    if named is None and (header is None or header in LEGACY_VERSIONS):
        return Era.LEGACY if header is None or header in served else _unsupported_version(header, served)
    if message.is_notification or message.is_answer:
        return Era.STATELESS if header in served else _unsupported_version(str(header), served)
    if named is None and header not in STATELESS_VERSIONS:
        return _unsupported_version(str(header), served)
    return _envelope_error(meta) or _header_error(message, headers, named) or _version_error(named, served) or Era.STATELESS


def _envelope_error(meta: Any) -> RpcError | None:
    missing = [key for key in (_VERSION_KEY, _CAPABILITIES_KEY) if not isinstance(meta, dict) or key not in meta]
    return RpcError(INVALID_PARAMS, f"params._meta lacks {', '.join(missing)}") if missing else None


def _header_error(message: Message, headers: Mapping[str, str], named: Any) -> RpcError | None:
    """Compare the headers that repeat parts of the body for intermediaries; where they differ, the request is ambiguous."""
    if headers.get(_VERSION_HEADER) != named:
        return RpcError(HEADER_MISMATCH, "The MCP-Protocol-Version header does not match the request's protocol version")
    if headers.get("mcp-method") != message.method:
        return RpcError(HEADER_MISMATCH, "The Mcp-Method header does not match the request's method")
    wanted = message.params.get("name")
    if message.method == "tools/call" and wanted is not None and _decode_header(headers.get("mcp-name")) != wanted:
        return RpcError(HEADER_MISMATCH, "The Mcp-Name header does not match the request's name")
    return None


def _version_error(named: Any, served: tuple[str, ...]) -> RpcError | None:
    return None if named in served and named in STATELESS_VERSIONS else _unsupported_version(str(named), served)


def _unsupported_version(requested: str, served: tuple[str, ...]) -> RpcError:
    return RpcError(UNSUPPORTED_VERSION, "Unsupported protocol version", {"supported": list(served), "requested": requested[:100]})


def _decode_header(value: str | None) -> str | None:
    encoded = _ENCODED_HEADER.fullmatch(value or "")
    if encoded is None:
        return value
    try:
        return base64.b64decode(encoded[1], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def negotiate_version(requested: Any, served: tuple[str, ...]) -> str | None:
    """Return the version of a handshake: the requested one, else the newest one with handshakes; None where none is served."""
    handshakes = [version for version in served if version in LEGACY_VERSIONS]
    if requested in handshakes:
        return str(requested)
    return handshakes[-1] if handshakes else None


def result(message: Message, content: Mapping[str, Any], era: Era) -> bytes:
    """Encode the response to a request."""
    complete = {"resultType": "complete", **content} if era is Era.STATELESS else content
    return compact_json({"jsonrpc": "2.0", "id": message.id, "result": complete})


def error(request_id: str | int | None, problem: RpcError) -> bytes:
    """Encode the response to a request that can't be served."""
    parts: dict[str, Any] = {"code": problem.code, "message": problem.message}
    if problem.data is not None:
        parts["data"] = problem.data
    return compact_json({"jsonrpc": "2.0", "id": request_id, "error": parts})


def status_of(problem: RpcError, era: Era) -> int:
    """Return the HTTP status of an error: 200 for an error of the method in older versions, a status of its own in newer ones."""
    return _STATUS_IN_STATELESS.get(problem.code, 400) if era is Era.STATELESS else 200

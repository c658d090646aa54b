"""The application logs of a gateway: what AgentCore delivers of each MCP request (pure).

The fields are those of https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/observability-gateway-metrics.html. How AgentCore
words a failure is not documented there.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from embedded_aws.http_messages import parse_json
from sre_core import clock

STREAM = "BedrockAgentCoreGateway_ApplicationLogs"
# An event of CloudWatch Logs may have 1 MB.
_LONGEST_BODY = 500_000


@dataclass(frozen=True)
class RequestLog:
    """The fields that all lines of one request share."""

    gateway_arn: str
    request_id: str
    message_id: str | int | None
    trace_id: str = field(default_factory=lambda: secrets.token_hex(16))
    span_id: str = field(default_factory=lambda: secrets.token_hex(8))
    begun: datetime = field(default_factory=clock.now)

    def refuse(self, message: str) -> Iterator[str]:
        """Yield the line of a request that was not let in."""
        yield self._line(clock.now(), is_error=True, log=message)

    def perform(self, method: str, request: bytes, response: bytes) -> Iterator[str]:
        """Yield the lines of a request that was performed."""
        answer = _parse(response)
        failed = "error" in answer or bool((answer.get("result") or {}).get("isError"))
        ended = "Failed to process" if failed else "Successfully processed"
        yield self._line(
            self.begun, log=f"Started processing request with requestId: {self.message_id}", requestBody=_show(_parse(request))
        )
        yield self._line(self.begun, log=f"Received request for {method} method")
        yield self._line(clock.now(), is_error=failed, log=f"{ended} request with requestId: {self.message_id}", responseBody=_show(answer))

    def _line(self, moment: datetime, *, is_error: bool = False, **body: str) -> str:
        named = {} if self.message_id is None else {"id": str(self.message_id)}
        return json.dumps(
            {
                "resource_arn": self.gateway_arn,
                "event_timestamp": int(moment.timestamp() * 1000),
                "body": {"isError": is_error, **body, **named},
                "account_id": self.gateway_arn.split(":")[4],
                "request_id": self.request_id,
                "trace_id": self.trace_id,
                "span_id": self.span_id,
            }
        )


def _parse(body: bytes) -> Mapping[str, Any]:
    try:
        parsed = parse_json(body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _show(value: Any) -> str:
    """Write a value as AgentCore does: as Java writes its maps."""
    return _write(value)[:_LONGEST_BODY]


def _write(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}={_write(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_write, value))}]"
    return value if isinstance(value, str) else json.dumps(value)

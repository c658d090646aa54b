"""The hops of a question, and the tools by which each target is tried: the same from here and from where the assistant runs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

HOPS = ("dns", "tcp", "tls", "http", "token", "gateway", "target", "backend", "model")
"""The way of a question, in its order."""

CALLED: Mapping[str, str] = MappingProxyType(
    {"kubernetes": "get_node_status", "logs": "get_recent_logs", "metrics": "get_error_rates", "runbooks": "search_runbooks"}
)
"""Of each target one read-only tool that needs no arguments."""

"""What a client gets from a gateway, and what the backend behind it sees."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import API_KEY


def test_a_tool_call_reaches_the_backend(gateway: Any, make_target: Any, caller_of: Any, api: Any) -> None:
    """The operation is called with its arguments in place and the API key; the client's own token stays here."""
    make_target(gateway)
    result = caller_of(gateway).call("pods___get_pod_status", pod_name="web/1 ü", namespace="prod", limit=5)
    assert result == {"isError": False, "content": [{"type": "text", "text": '{"status": "Running"}'}]}
    (request,) = api.requests
    assert (request["method"], request["path"], request["query"]) == ("GET", "/pods/web%2F1%20%C3%BC", "namespace=prod&limit=5")
    assert request["headers"]["x-api-key"] == API_KEY
    assert "authorization" not in request["headers"]

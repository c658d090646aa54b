"""Every request without the required right is refused, and leaves exactly one event without a secret."""

from __future__ import annotations

import contextlib
import io
import json
import secrets
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from sre_core.secret import Secret
from sre_services.application import NAMES, Api, build_app

KEY = secrets.token_urlsafe(24)
CLIENTS = {name: TestClient(build_app(Api.of(name), object(), Secret(KEY)), raise_server_exceptions=False) for name in NAMES}

_PRINTABLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=60)
_KEYS = st.one_of(
    st.none(),
    _PRINTABLE,
    st.sampled_from([KEY[:-1], KEY + "x", KEY.swapcase(), f"Bearer {KEY}", f"{KEY},{KEY}", ""]),
)
_PATHS = st.lists(st.text(st.characters(categories=["L", "N"], max_codepoint=0x7E), min_size=1, max_size=10), max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)


@pytest.mark.property(8)
@given(
    service=st.sampled_from(NAMES),
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"]),
    path=_PATHS.filter(lambda path: path != "/health"),
    key=_KEYS.filter(lambda key: key != KEY),
    query=_PRINTABLE,
)
def test_refused_and_logged_once(service: str, method: str, path: str, key: str | None, query: str) -> None:
    """**Feature: aws-ec2-production-deployment, Property 8: Security Event Logging**

    For any unauthorized access attempt, the system should reject the request and log security events with appropriate detail.

    Any request to any backend with any key but its own is answered 401, reveals nothing about what exists, and leaves one
    security event with service, reason, method and path, and without the key or the query.
    """
    # Each from another client: one with so many requests would have to wait.
    headers = {"X-Forwarded-For": str(uuid.uuid4()), **({} if key is None else {"X-API-Key": key})}
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        answer = CLIENTS[service].request(method, path, headers=headers, params={"q": f"query-{query}"})
    assert answer.status_code == 401
    if method != "HEAD":
        assert answer.json()["error"]["code"] == "UNAUTHORIZED"
    [line] = said.getvalue().splitlines()
    event = json.loads(line)
    assert (event["service"]["name"], event["http_request"]["http_method"]) == (service, method)
    assert event["status_detail"] == ("bad_api_key" if key else "missing_api_key")
    assert "query-" not in line
    assert KEY not in line
    assert not key or len(key) < 8 or key in path or key not in line

"""A request without an answer: the problem first names what to check first."""

from __future__ import annotations

import ssl

import pytest
from urllib3.exceptions import MaxRetryError, SSLError

from sre_agent_deploy.checks.verification.endpoint_client import unreachable

HUNG_UP = ssl.SSLEOFError(8, "[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol")
DISTRUSTED = ssl.SSLCertVerificationError(1, "certificate verify failed")


@pytest.mark.parametrize(("cause", "code"), [(HUNG_UP, "ENDPOINT-UNREACHABLE"), (DISTRUSTED, "ENDPOINT-TLS")])
def test_a_handshake_without_an_end(cause: ssl.SSLError, code: str) -> None:
    """A server that closes the connection during the handshake has shown no certificate, so none is reported as refused."""
    beneath = SSLError(cause)
    for error in (cause, beneath, MaxRetryError(None, "/ping", beneath)):  # type: ignore[arg-type]
        assert unreachable("https://sre.example.com/ping", error).code == code


def test_where_nobody_answers() -> None:
    """The first step is one that asks AWS; `status` does not."""
    assert "plan" in unreachable("https://sre.example.com/ping", ConnectionError("refused")).do[0]

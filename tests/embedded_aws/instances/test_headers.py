"""Only known headers pass the front door."""

from __future__ import annotations

import pytest

from embedded_aws.instances.routing import EVERY_ANSWER, client_headers, service_headers


def passed(*received: tuple[bytes, bytes]) -> dict[str, str]:
    return dict(service_headers(received, "192.0.2.7", "the-id"))


@pytest.mark.parametrize(
    "name",
    [
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-prefix",
        b"forwarded",
        b"x-real-ip",
        b"x-original-url",
        b"x-rewrite-url",
        b"proxy",
    ],
)
def test_a_clients_claim_about_itself(name: bytes) -> None:
    """A service sees only what the front door knows."""
    assert passed((name, b"forged")) == {"x-forwarded-for": "192.0.2.7", "x-forwarded-proto": "https", "x-request-id": "the-id"}


def test_headers_of_one_connection() -> None:
    """They end here, and so do those that Connection names."""
    names = passed(
        (b"connection", b"close, X-Secret-Hop"), (b"x-secret-hop", b"1"), (b"te", b"trailers"), (b"upgrade", b"h2c"), (b"x-api-key", b"k")
    )
    assert set(names) == {"x-api-key", "x-forwarded-for", "x-forwarded-proto", "x-request-id"}


def test_an_underscore() -> None:
    """X_API_KEY can't be taken for X-API-Key."""
    assert "x_api_key" not in passed((b"x_api_key", b"k"))


def test_repeated_headers_of_an_answer() -> None:
    """Each cookie passes; the server's name does not."""
    answer = client_headers([(b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=2"), (b"Server", b"tiny"), (b"Transfer-Encoding", b"chunked")])
    assert answer == [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), *EVERY_ANSWER]

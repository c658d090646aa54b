"""Error messages of many runtimes are recognised by their wording."""

from __future__ import annotations

import pytest

from sre_agent.reasoners.rules.error_patterns import find_configuration_error, find_connection_error, mentions_memory


@pytest.mark.parametrize(
    ("message", "what", "name"),
    [
        ("FATAL dial tcp: lookup db-main.shop.svc on 10.0.0.10:53: no such host", "host", "db-main.shop.svc"),
        ('could not translate host name "pg-prim" to address: Name or service not known', "host", "pg-prim"),
        ("Error: getaddrinfo ENOTFOUND cache.internal cache.internal:6379", "host", "cache.internal"),
        ("java.net.UnknownHostException: orders-db: Name or service not known", "host", "orders-db"),
        ("required environment variable STRIPE_API_URL is not set", "setting", "STRIPE_API_URL"),
        ("KeyError: 'DATABASE_URL'", "setting", "DATABASE_URL"),
        ("invalid value for spring.datasource.url: nope", "setting", "spring.datasource.url"),
        ("MAX_CONNECTIONS must be an integer, got 'lots'", "setting", "MAX_CONNECTIONS"),
        ("panic: config: missing field `listen`", "setting", "listen"),
        ("FATAL: password authentication failed for user \"app_rw\"", "credential", "app_rw"),
        ("open /etc/app/config.yaml: no such file or directory", "file", "/etc/app/config.yaml"),
    ],
)  # fmt: skip
def test_faulty_configuration(message: str, what: str, name: str) -> None:
    """Hosts that don't resolve, settings that are missing or wrong, credentials and files are recognised with their names."""
    found = find_configuration_error(message)
    assert found
    assert (found.what, found.name) == (what, name)


@pytest.mark.parametrize(
    "message",
    [
        "GET /orders/4711 200 12ms",
        "ERROR timeout after 3000ms calling upstream",
        "connection refused by 10.0.0.7:5432",
        "request failed with status 503",
        "user 123 not found",
        "order rejected: card declined",
        "worker queue full",
    ],
)
def test_what_is_no_configuration(message: str) -> None:
    """Ordinary failures of operation are not taken for faulty configuration."""
    assert find_configuration_error(message) is None


@pytest.mark.parametrize(
    ("message", "host"),
    [
        ("dial tcp 10.0.0.7:5432: connect: connection refused", "10.0.0.7:5432"),
        ("connect ECONNREFUSED 10.1.2.3:6379", "10.1.2.3:6379"),
        ("POST http://ledger.shop.svc:8080/charges: i/o timeout", "ledger.shop.svc:8080"),
        ("upstream timed out", ""),
    ],
)
def test_connections_that_fail(message: str, host: str) -> None:
    """The unreachable address is named if the message names it."""
    found = find_connection_error(message)
    assert found
    assert found.name == host


@pytest.mark.parametrize(
    ("message", "speaks"),
    [
        ("java.lang.OutOfMemoryError: Java heap space", True),
        ("heap usage 91% after full GC", True),
        ("session cache holds 812000 entries, none evicted", True),
        ("GET /memories 200", False),
    ],
)
def test_memory(message: str, speaks: bool) -> None:
    """Messages about memory running out, or something that only grows."""
    assert mentions_memory(message) is speaks

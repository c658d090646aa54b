"""A strict TLS client accepts a private authority's certificates, for exactly the requested names."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from sre_core import clock, private_ca

DAY = timedelta(days=1)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """A TLS server for `sre.example.com` and 127.0.0.1, and the file of the authority to trust."""
    authority_key, key = private_ca.new_key(), private_ca.new_key()
    authority = private_ca.issue_authority("test", authority_key, DAY)
    leaf = private_ca.issue_server(("sre.example.com", "127.0.0.1"), key, issuer=authority, issuer_key=authority_key, life=DAY)
    (tmp_path / "ca.pem").write_text(private_ca.pem(authority))
    (tmp_path / "server.pem").write_text(private_ca.key_pem(key) + private_ca.pem(leaf) + private_ca.pem(authority))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    listening = socket.create_server(("127.0.0.1", 0))

    def greet() -> None:
        connection, _ = listening.accept()
        with connection:
            try:
                context.wrap_socket(connection, server_side=True).close()
            except OSError:
                return  # the client did not like what it saw, which it says itself

    thread = threading.Thread(target=greet)
    thread.start()
    yield listening.getsockname()[1], tmp_path / "ca.pem"
    thread.join()
    listening.close()


def shake_hands(port: int, ca_file: Path, name: str) -> None:
    context = ssl.create_default_context(cafile=str(ca_file))
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    with socket.create_connection(("127.0.0.1", port), timeout=120) as plain, context.wrap_socket(plain, server_hostname=name):
        pass


@pytest.mark.parametrize("name", ["sre.example.com", "127.0.0.1"])
def test_its_names_are_accepted(server: tuple[int, Path], name: str) -> None:
    """DNS names and IP addresses, under RFC 5280's strict rules."""
    shake_hands(*server, name)


@pytest.mark.parametrize("name", ["other.example.com", "127.0.0.2"])
def test_other_names_are_not(server: tuple[int, Path], name: str) -> None:
    """A certificate is not valid for another name."""
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        shake_hands(*server, name)


def test_it_is_valid_for_clocks_that_are_behind() -> None:
    """From a few minutes before it was made, until its life ends."""
    key = private_ca.new_key()
    made = private_ca.issue_authority("test", key, DAY)
    assert made.not_valid_before_utc < clock.now() - timedelta(minutes=4)
    assert made.not_valid_after_utc <= clock.now() + DAY

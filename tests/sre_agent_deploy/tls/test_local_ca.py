"""The local certificate authority: one per folder, its key for its user alone, its leaves good for real TLS."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import stat
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_agent_deploy.tls import expiry, local_ca
from sre_agent_deploy.tls.chain import Chain, Issued, find_faults, issued_by
from sre_core import clock
from sre_core.problem import Refused

ADDRESSES = st.ip_addresses().map(str)
LABELS = st.from_regex(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
HOSTS = st.lists(st.one_of(ADDRESSES, st.lists(LABELS, min_size=2, max_size=4).map(".".join)), min_size=1, max_size=4, unique=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> local_ca.LocalCa:
    return local_ca.open_local_ca(tmp_path_factory.mktemp("state") / "local-ca")


def test_the_folder_of_an_authority(tmp_path: Path) -> None:
    """The key is the user's alone, the certificate is for everyone, and opening it again changes neither."""
    folder = tmp_path / "state" / "local-ca"
    first = local_ca.open_local_ca(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "ca.key").stat().st_mode) == 0o600
    assert first.ca_file == folder / "ca.pem"
    assert local_ca.open_local_ca(folder) == first
    assert {path.name for path in folder.iterdir()} == {"ca.key", "ca.pem", "lock"}
    assert "PRIVATE" not in repr(first)


def test_many_processes_that_open_it_first(tmp_path: Path) -> None:
    """They all get the same authority, and its key belongs to its certificate."""
    code = "import pathlib, sys; from sre_agent_deploy.tls import local_ca; "
    code += "print(local_ca.open_local_ca(pathlib.Path(sys.argv[1])).identity)"
    command = [sys.executable, "-c", code, str(tmp_path / "local-ca")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = {process.communicate()[0] for process in running}
    assert len(said) == 1
    authority = local_ca.open_local_ca(tmp_path / "local-ca")
    assert said == {f"{authority.identity}\n"}
    chain = Chain.parse(authority.issue(("sre.example.com",)).chain)
    assert issued_by(chain.certificates[0], chain.certificates[1])


def test_a_process_that_died_between_the_files(tmp_path: Path) -> None:
    """A key without a certificate is not an authority yet; it is made anew, whole."""
    local_ca.open_local_ca(tmp_path)
    (tmp_path / "ca.pem").unlink()
    chain = Chain.parse(local_ca.open_local_ca(tmp_path).issue(("sre.example.com",)).chain)
    assert find_faults(chain, None, ("sre.example.com",)) == ()


@pytest.mark.parametrize("name", ["ca.pem", "ca.key"])
@pytest.mark.parametrize("damage", ["", "no PEM", "of another authority"])
def test_an_authority_that_is_damaged(authority: local_ca.LocalCa, tmp_path: Path, name: str, damage: str) -> None:
    """It is not replaced behind the user's back, since others trust it; the Problem says how to get a new one."""
    local_ca.open_local_ca(tmp_path)
    other = {"ca.pem": authority.certificate, "ca.key": authority.private_key.reveal()}[name]
    (tmp_path / name).write_text(other if damage == "of another authority" else damage)
    with pytest.raises(Refused) as refused:
        local_ca.open_local_ca(tmp_path)
    (problem,) = refused.value.problems
    assert problem.code == "LOCAL-CA-DAMAGED"
    assert str(tmp_path) in problem.do[0]


@pytest.mark.property(2)
@given(hosts=HOSTS)
def test_a_leaf_for_any_hosts(authority: local_ca.LocalCa, hosts: list[str]) -> None:
    """**Feature: aws-ec2-production-deployment, Property 2: SSL and Authentication Security**

    For any connection attempt, the system should require valid SSL certificates and properly authenticate requests through Cognito
    JWT tokens.

    For any DNS names and addresses, the certificate names exactly them, and leads to the authority.
    """
    chain = Chain.parse(authority.issue(tuple(hosts)).chain)
    assert set(chain.names) == {_canonical(host) for host in hosts}
    assert find_faults(chain, None, hosts) == ()
    assert not chain.covers("somebody-else.example.org")


def test_how_long_a_leaf_lives(authority: local_ca.LocalCa) -> None:
    """90 days, of which the last 30 are for its renewal; the authority outlives it by far."""
    chain = Chain.parse(authority.issue(("192.0.2.1",)).chain)
    now = clock.now()
    assert expiry.days_left(chain.leaf.not_valid_after_utc, now) in (89, 90)
    assert not expiry.needs_renewal(chain.not_before, chain.not_after, now)
    assert expiry.needs_renewal(chain.not_before, chain.not_after, now + timedelta(days=60, minutes=1))
    assert expiry.days_left(chain.certificates[1].not_valid_after_utc, now) > 3000


def test_a_handshake_with_a_leaf(authority: local_ca.LocalCa, tmp_path: Path) -> None:
    """A client that trusts the authority connects by address and is refused by another name; one that doesn't is refused."""
    context = server_context(authority.issue(("127.0.0.1", "localhost")), tmp_path)
    trusting = ssl.create_default_context(cafile=authority.ca_file)
    assert shaken(context, trusting, "127.0.0.1") == ""
    assert shaken(context, trusting, "localhost") == ""
    assert "mismatch" in shaken(context, trusting, "elsewhere.example.com")
    assert "self-signed" in shaken(context, ssl.create_default_context(), "127.0.0.1")


def server_context(issued: Issued, folder: Path) -> ssl.SSLContext:
    file = folder / "server.pem"
    file.write_text(issued.private_key.reveal() + issued.chain)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def shaken(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> str:
    """Return a client's error about a server's certificate; nothing if it accepts it."""
    near, far = socket.socketpair()
    thread = threading.Thread(target=_serve, args=(server, far))
    thread.start()
    try:
        client.wrap_socket(near, server_hostname=name).close()
        return ""
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    finally:
        near.close()
        thread.join()


def _serve(context: ssl.SSLContext, connection: socket.socket) -> None:
    try:
        context.wrap_socket(connection, server_side=True).close()
    except OSError:
        connection.close()


def _canonical(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host

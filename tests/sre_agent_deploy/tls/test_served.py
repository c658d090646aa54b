"""A server's certificate is read as a client sees it: trusted, or the reason why not."""

from __future__ import annotations

import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from sre_agent_deploy.commands.certs import read_presented
from sre_agent_deploy.tls.local_ca import open_local_ca
from sre_core import clock

HOST = "sre.example.com"


@contextmanager
def serving(folder: Path, chain: str, key: str) -> Iterator[int]:
    """A TLS server on a free port of this machine that presents this chain."""
    (folder / "chain.pem").write_text(chain + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "chain.pem")

    class Greeting(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            # A client that does not trust it goes away.
            with suppress(OSError):
                context.wrap_socket(self.request, server_side=True).close()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Greeting) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.mark.parametrize(
    ("names", "age", "knows", "distrust"),
    [
        ((HOST,), timedelta(0), True, ""),
        ((HOST,), timedelta(0), False, "unable to get local issuer certificate"),
        (("other.example.com",), timedelta(0), True, "Hostname mismatch"),
        ((HOST,), timedelta(days=91), True, "certificate has expired"),
    ],
)
def test_what_a_server_presents(tmp_path: Path, names: tuple[str, ...], age: timedelta, knows: bool, distrust: str) -> None:
    """The leaf, who issued it, and the reason for which a client refuses it."""
    authority = open_local_ca(tmp_path / "ca")
    issued = authority.issue(names, clock.now() - age)
    leaf_only = issued.chain.partition("-----END CERTIFICATE-----\n")
    with serving(tmp_path, leaf_only[0] + leaf_only[1], issued.private_key.reveal()) as port:
        seen = read_presented("127.0.0.1", port, HOST, (str(authority.ca_file),) if knows else ())
    assert seen.chain.names == names
    assert seen.issuer == "sre-agent local certificate authority"
    assert distrust in seen.distrust
    assert bool(distrust) is bool(seen.distrust)

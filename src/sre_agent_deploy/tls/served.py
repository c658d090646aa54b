"""Read the certificate that a server presents now, and if clients trust it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509

from sre_agent_deploy.tls.chain import Chain

_ANSWER_WITHIN = 10.0


@dataclass(frozen=True)
class Presented:
    """The leaf that a server presented, and why a client of these authorities does not trust it; empty where it does."""

    chain: Chain
    distrust: str

    @property
    def issuer(self) -> str:
        """Name the authority as people know it: `Let's Encrypt R11`."""
        issuer = self.chain.leaf.issuer
        parts = (issuer.get_attributes_for_oid(oid) for oid in (x509.NameOID.ORGANIZATION_NAME, x509.NameOID.COMMON_NAME))
        return " ".join(str(part[0].value) for part in parts if part) or issuer.rfc4514_string()


def read_presented(address: str, port: int, host: str, ca_files: Iterable[str]) -> Presented:
    """Ask a server for its certificate, then if it is trusted for `host`. Raises OSError where it does not answer with TLS."""
    anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    leaf = _shake_hands(anyone, address, port, host)
    strict = ssl.create_default_context()
    for file in ca_files:
        strict.load_verify_locations(file)
    try:
        _shake_hands(strict, address, port, host)
    except ssl.SSLCertVerificationError as refused:
        return Presented(leaf, refused.verify_message)
    return Presented(leaf, "")


def _shake_hands(context: ssl.SSLContext, address: str, port: int, host: str) -> Chain:
    with (
        socket.create_connection((address, port), _ANSWER_WITHIN) as connection,
        context.wrap_socket(connection, server_hostname=host) as tls,
    ):
        return Chain((x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b""),))

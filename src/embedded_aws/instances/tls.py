"""The TLS that an instance's front door speaks: Mozilla's intermediate profile."""

from __future__ import annotations

import ssl
from hashlib import sha256
from pathlib import Path

from embedded_aws.instances.failure import StepFailed

_CIPHERS = ":".join(
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
    )
)


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 and later with forward secrecy. StepFailed where the certificate and key can't be used together."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    # OpenSSL's default offers curves outside the profile; Python 3.12 can name exactly one.
    context.set_ecdh_curve("prime256v1")
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as refused:
        raise StepFailed("The certificate and its private key are no usable pair of PEM texts.", str(refused)) from refused
    return context


def leaf_fingerprint(certificate: Path) -> bytes:
    """The SHA-256 of the first certificate of a chain, by which its server is recognised."""
    first, end, _ = certificate.read_text(encoding="utf-8").partition("-----END CERTIFICATE-----")
    return sha256(ssl.PEM_cert_to_DER_cert(first[first.index("-----BEGIN") :] + end + "\n")).digest()

"""Certificates of an authority that is not ours, made when a test needs them."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Party:
    """A certificate and the key of its subject."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def key_pem(self, passphrase: str = "") -> str:
        how = serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how).decode()


def authority(subject: str, issuer: Party | None = None, key: Key | None = None) -> Party:
    """A root, or an intermediate that `issuer` signed."""
    return _signed(subject, (), issuer, life=timedelta(days=3650), ca=True, key=key)


type Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def leaf(
    issuer: Party | None,
    *hosts: str,
    life: timedelta = timedelta(days=90),
    starts: timedelta = timedelta(days=-1),
    key: Key | None = None,
) -> Party:
    """A certificate for `hosts`, self-signed without an issuer; `starts` and `life` count from NOW."""
    return _signed("leaf", hosts, issuer, life=life, ca=False, starts=starts, key=key)


def write(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def _signed(
    subject: str,
    hosts: tuple[str, ...],
    issuer: Party | None,
    *,
    life: timedelta,
    ca: bool,
    starts: timedelta = timedelta(days=-1),
    key: Key | None = None,
) -> Party:
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(issuer.certificate.subject if issuer else _name(subject))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + min(starts, life - timedelta(days=1)))
        .not_valid_after(NOW + life)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName(list(map(_general_name, hosts))), critical=False)
    return Party(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)

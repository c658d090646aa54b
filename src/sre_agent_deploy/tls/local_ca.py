"""A certificate authority of this user's own, for machines that no public authority would vouch for."""

from __future__ import annotations

import fcntl
import ipaddress
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sre_agent_deploy.tls.chain import Chain, authority_identity, faults
from sre_agent_deploy.tls.source import Issued
from sre_core import clock
from sre_core.problem import Problem, Refused
from sre_core.secret import Secret

LEAF_LIFE = timedelta(days=90)
_AUTHORITY_LIFE = timedelta(days=3650)
# Clocks of two machines differ, and a certificate from the future is refused.
_EARLIER = timedelta(minutes=5)


@dataclass(frozen=True)
class LocalCa:
    """Issues certificates that only clients with `ca_file` trust."""

    ca_file: Path
    certificate: str
    private_key: Secret

    @property
    def identity(self) -> str:
        return authority_identity(x509.load_pem_x509_certificate(self.certificate.encode()))

    @property
    def renews(self) -> bool:
        return True

    def issue(self, hosts: tuple[str, ...], now: datetime | None = None) -> Issued:
        """A leaf for these DNS names and IP addresses, valid for 90 days, with the authority's certificate after it."""
        key = ec.generate_private_key(ec.SECP256R1())
        authority, authority_key = x509.load_pem_x509_certificate(self.certificate.encode()), _private_key(self.private_key)
        leaf = _leaf(key.public_key(), hosts, authority, now or clock.now()).sign(authority_key, hashes.SHA256())
        return Issued(_pem(leaf) + self.certificate, Secret(_key_pem(key)))

    def console(self, hosts: tuple[str, ...]) -> tuple[str, ...]:
        return (
            f"Have your own certificate authority ({self.ca_file}) issue a certificate for {', '.join(hosts)}",
            'Plaintext: {"certificate": "<PEM chain, leaf first, authority last>", "private_key": "<PEM>"}',
        )


def opened(folder: Path) -> LocalCa:
    """The authority that is kept in `folder`, made at its first use. Two processes that start at once get the same one."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    certificate_file, key_file = folder / "ca.pem", folder / "ca.key"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not certificate_file.exists():
            _made(certificate_file, key_file)
        return _read(certificate_file, key_file)


def _read(certificate_file: Path, key_file: Path) -> LocalCa:
    """The authority of these files. Raises Refused where they are damaged or don't belong together."""
    try:
        authority = LocalCa(certificate_file, certificate_file.read_text(), Secret(key_file.read_text()))
        chain = Chain.parse(authority.certificate)
        sound = not faults(chain, _private_key(authority.private_key).public_key(), ())
    except (OSError, ValueError, TypeError) as error:
        raise Refused(_damaged(certificate_file.parent, str(error))) from None
    if not sound:
        raise Refused(_damaged(certificate_file.parent, "ca.key is not the key of ca.pem."))
    return authority


def _damaged(folder: Path, why: str) -> Problem:
    return Problem(
        code="LOCAL-CA-DAMAGED",
        what=f"The local certificate authority in {folder} can't be used.",
        why=why,
        do=(
            f"Restore its files, or remove them to have a new authority made: rm {folder}/ca.pem {folder}/ca.key",
            "Run the same command again; certificates of the old authority are then replaced.",
        ),
    )


def _made(certificate_file: Path, key_file: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _authority(key.public_key(), clock.now()).sign(key, hashes.SHA256())
    # The certificate comes last: where it stands, its key does too.
    _write(key_file, _key_pem(key), 0o600)
    _write(certificate_file, _pem(certificate), 0o644)


def _write(path: Path, text: str, mode: int) -> None:
    """Replace a file in one step; nobody ever reads half of it, or reads a key that others may."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _authority(public_key: ec.EllipticCurvePublicKey, now: datetime) -> x509.CertificateBuilder:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sre-agent local certificate authority")])
    return (
        _builder(name, name, public_key, now, _AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )


def _leaf(
    public_key: ec.EllipticCurvePublicKey, hosts: tuple[str, ...], authority: x509.Certificate, now: datetime
) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])])
    authority_key = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        _builder(subject, authority.subject, public_key, now, LEAF_LIFE)
        .add_extension(x509.SubjectAlternativeName(list(map(_general_name, hosts))), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority_key), critical=False)
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _private_key(pem: Secret) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem.reveal().encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the key of the local certificate authority is not the one it was made with")
    return key


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    unencrypted = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, unencrypted).decode()

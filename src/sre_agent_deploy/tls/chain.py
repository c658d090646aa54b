"""The certificate of a front door: the protocol of its sources, and its PEM chain, checked against its key and its names (pure)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sre_core.problem import Problem
from sre_core.secret import Secret


@dataclass(frozen=True)
class Issued:
    """A certificate chain in PEM, leaf first, and the key of its leaf."""

    chain: str
    private_key: Secret


class CertificateSource(Protocol):
    """A local certificate authority, or the user's own files."""

    @property
    def identity(self) -> str:
        """Identify this source; another identity means that a new certificate is needed."""
        ...

    @property
    def renews(self) -> bool:
        """Say if `issue` gives a fresh certificate. Storing a file again does not renew it."""
        ...

    def issue(self, hosts: tuple[str, ...]) -> Issued:
        """Issue a certificate for these DNS names and IP addresses."""
        ...

    def console(self, hosts: tuple[str, ...]) -> tuple[str, ...]:
        """Tell how to get the certificate by hand."""
        ...


_LEAST_RSA, _LEAST_EC = 2048, 256
_BROKEN_DIGESTS = frozenset({"md5", "sha1"})


@dataclass(frozen=True)
class Chain:
    """Parsed certificates, leaf first."""

    certificates: tuple[x509.Certificate, ...]

    @classmethod
    def parse(cls, pem: str) -> Chain:
        """Parse a PEM text. Raises ValueError where it holds no certificate, or a damaged one."""
        return cls(tuple(x509.load_pem_x509_certificates(pem.encode())))

    @property
    def leaf(self) -> x509.Certificate:
        return self.certificates[0]

    @property
    def not_after(self) -> datetime:
        """Return the end of the first certificate that ends: the chain is invalid from then on."""
        return min(certificate.not_valid_after_utc for certificate in self.certificates)

    @property
    def not_before(self) -> datetime:
        """Return the time from which all certificates are valid."""
        return max(certificate.not_valid_before_utc for certificate in self.certificates)

    @property
    def names(self) -> tuple[str, ...]:
        """List the DNS names and IP addresses of the leaf, sorted. The common name does not count, as in browsers."""
        try:
            names = self.leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return ()
        addresses = map(str, names.get_values_for_type(x509.IPAddress))
        return tuple(sorted({*names.get_values_for_type(x509.DNSName), *addresses}))

    @property
    def identity(self) -> str:
        """Identify the source of a chain: by the authority at its end, else by the leaf."""
        last = self.certificates[-1]
        if len(self.certificates) > 1 and issued_by(last, last):
            return authority_identity(last)
        return f"certificate {_sha256(self.leaf)}"

    def without_root(self) -> Chain:
        """Return the chain as a server should send it: a client that trusts the root has it already."""
        last = self.certificates[-1]
        return Chain(self.certificates[:-1]) if len(self.certificates) > 1 and issued_by(last, last) else self

    def covers(self, host: str) -> bool:
        """Say if the leaf is valid for a DNS name or IP address; a wildcard covers exactly one label."""
        try:
            return str(ipaddress.ip_address(host)) in self.names
        except ValueError:
            host = host.rstrip(".").lower()
        own = {name.lower() for name in self.names}
        _, _, parent = host.partition(".")
        return host in own or f"*.{parent}" in own

    def pem(self) -> str:
        return "".join(certificate.public_bytes(Encoding.PEM).decode() for certificate in self.certificates)


def find_faults(chain: Chain, public_key: PublicKeyTypes | None, hosts: Iterable[str]) -> tuple[Problem, ...]:
    """List everything that keeps this chain from serving `hosts` with that key: key, names and order."""
    found = [_key_mismatch() if public_key and not _same_key(chain.leaf, public_key) else None]
    found += [None if chain.covers(host) else _name_missing(host, chain.names) for host in hosts]
    found += [_weak(certificate) for certificate in chain.certificates]
    found += [_broken_at(index, chain) for index in range(len(chain.certificates) - 1)]
    return tuple(problem for problem in found if problem)


def issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Say if `issuer` signed `certificate`."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def authority_identity(authority: x509.Certificate) -> str:
    """Identify every chain that ends in this authority."""
    return f"authority {_sha256(authority)}"


def _sha256(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()


def _same_key(leaf: x509.Certificate, public_key: PublicKeyTypes) -> bool:
    return _der(leaf.public_key()) == _der(public_key)


def _der(public_key: PublicKeyTypes) -> bytes:
    return public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _broken_at(index: int, chain: Chain) -> Problem | None:
    certificate, issuer = chain.certificates[index], chain.certificates[index + 1]
    if _is_forgeable(certificate) or issued_by(certificate, issuer):
        return None
    subject, next_subject = certificate.subject.rfc4514_string(), issuer.subject.rfc4514_string()
    return Problem(
        code="TLS-CHAIN-BROKEN",
        what=f"Certificate {index + 1} of the chain ({subject}) is not signed by the one after it ({next_subject}).",
        why="A chain goes from the leaf upwards, each certificate followed by its issuer; clients give up at the first gap.",
        do=(
            "Put the certificates in that order: leaf, then intermediates (certbot's fullchain.pem is right).",
            "Run the same command again.",
        ),
    )


def is_self_signed(certificate: x509.Certificate) -> bool:
    """Say if a certificate was signed by its own key: no client trusts it that was not given it."""
    return certificate.issuer == certificate.subject and issued_by(certificate, certificate)


def _weak(certificate: x509.Certificate) -> Problem | None:
    """Report a key or a signature that browsers and OpenSSL refuse. No client checks a root's own signature."""
    subject, key, digest = certificate.subject.rfc4514_string(), certificate.public_key(), certificate.signature_hash_algorithm
    size = key.key_size if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) else 0
    least = _LEAST_RSA if isinstance(key, rsa.RSAPublicKey) else _LEAST_EC
    if size and size < least:
        kind = "RSA" if isinstance(key, rsa.RSAPublicKey) else "EC"
        return _too_weak(subject, f"Its {kind} key has {size} bits; browsers ask for {least} at least.")
    if digest and _is_forgeable(certificate) and certificate.issuer != certificate.subject:
        return _too_weak(subject, f"It is signed with {digest.name.upper()}, which can be forged.")
    return None


def _is_forgeable(certificate: x509.Certificate) -> bool:
    digest = certificate.signature_hash_algorithm
    return digest is not None and digest.name in _BROKEN_DIGESTS


def _too_weak(subject: str, why: str) -> Problem:
    return Problem(
        code="TLS-TOO-WEAK",
        what=f"The certificate {subject} is too weak: clients refuse it.",
        why=why,
        do=(
            "Make a new key: openssl ecparam -name prime256v1 -genkey -noout -out privkey.pem (or RSA with 2048 bits).",
            "Order a certificate for it that is signed with SHA-256, as every public authority does, and run the same command again.",
        ),
    )


def _key_mismatch() -> Problem:
    return Problem(
        code="TLS-KEY-MISMATCH",
        what="The private key does not belong to the certificate.",
        why="The certificate carries another public key: the files are of different renewals, or the chain does not begin with its leaf.",
        do=(
            "Name the key and the chain of the same renewal (deployment.ssl_key_path, deployment.ssl_cert_path).",
            "Run the same command again.",
        ),
    )


def _name_missing(host: str, names: tuple[str, ...]) -> Problem:
    return Problem(
        code="TLS-NAME-MISSING",
        what=f"The certificate is not valid for {host}.",
        why=f"It names {', '.join(names) or 'nothing (it has no subject alternative names)'}.",
        do=(
            f"Get a certificate that names {host}, or set deployment.domain_name to a name that it has.",
            "Run the same command again.",
        ),
    )

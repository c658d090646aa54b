"""A private certificate authority of this user, for machines that no public authority certifies."""

from __future__ import annotations

import fcntl
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sre_agent_deploy.tls.chain import Chain, authority_identity, find_faults
from sre_agent_deploy.tls.source import Issued
from sre_core import atomic_file, private_ca
from sre_core.problem import Problem, Refused
from sre_core.secret import Secret

LEAF_LIFE = timedelta(days=90)
_AUTHORITY_LIFE = timedelta(days=3650)


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
        """Issue a certificate for these DNS names and IP addresses, valid for 90 days, followed by the authority's."""
        key, authority = private_ca.new_key(), x509.load_pem_x509_certificate(self.certificate.encode())
        leaf = private_ca.issue_server(hosts, key, issuer=authority, issuer_key=_private_key(self.private_key), life=LEAF_LIFE, now=now)
        return Issued(private_ca.pem(leaf) + self.certificate, Secret(private_ca.key_pem(key)))

    def console(self, hosts: tuple[str, ...]) -> tuple[str, ...]:
        return (
            f"Have your own certificate authority ({self.ca_file}) issue a certificate for {', '.join(hosts)}",
            'Plaintext: {"certificate": "<PEM chain, leaf first, authority last>", "private_key": "<PEM>"}',
        )


def open_local_ca(folder: Path) -> LocalCa:
    """Open the authority in `folder`, and create it at its first use. Two processes that start at once get the same one."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    certificate_file, key_file = folder / "ca.pem", folder / "ca.key"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not certificate_file.exists():
            _create_authority(certificate_file, key_file)
        return _load_authority(certificate_file, key_file)


def _load_authority(certificate_file: Path, key_file: Path) -> LocalCa:
    """Load the authority from these files. Raises Refused where they are damaged or don't match."""
    try:
        authority = LocalCa(certificate_file, certificate_file.read_text(), Secret(key_file.read_text()))
        chain = Chain.parse(authority.certificate)
        sound = not find_faults(chain, _private_key(authority.private_key).public_key(), ())
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


def _create_authority(certificate_file: Path, key_file: Path) -> None:
    key = private_ca.new_key()
    certificate = private_ca.issue_authority("sre-agent local certificate authority", key, _AUTHORITY_LIFE)
    # The certificate is written last: if it exists, so does its key.
    atomic_file.write(key_file, private_ca.key_pem(key).encode(), mode=0o600)
    atomic_file.write(certificate_file, private_ca.pem(certificate).encode(), mode=0o644)


def _private_key(pem: Secret) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(pem.reveal().encode(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the key of the local certificate authority is not the one it was made with")
    return key

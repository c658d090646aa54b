"""A private certificate authority of this user, for machines that no public authority certifies."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sre_agent_deploy.tls.chain import Chain, Issued, authority_identity, find_faults
from sre_core import atomic_file, private_ca
from sre_core.problem import Problem, Refused
from sre_core.secret import Secret
from sre_core.state_folder import state_folder

type Stage = Literal["none", "next", "previous", "ended"]
"""`next`: another authority is there and issues nothing yet. `previous`: it issues, and the one before is still trusted.

`ended`: the one before is trusted no longer, and a deployment may still have to be changed accordingly.
"""

_NEXT, _NEXT_KEY, _PREVIOUS, _ENDED = "next.pem", "next.key", "previous.pem", "ended.pem"
LEAF_LIFE = timedelta(days=90)
_AUTHORITY_LIFE = timedelta(days=3650)


@dataclass(frozen=True)
class LocalCa:
    """Issues certificates that only clients with `ca_file` trust."""

    ca_file: Path
    certificate: str
    private_key: Secret
    others: tuple[str, ...] = ()
    """The certificate of the authority after this one, or of the one before: clients trust it too while one replaces the other."""

    @property
    def trusted(self) -> str:
        """Return the certificates that clients need, as one PEM text."""
        # In one order throughout: the same certificates are the same text.
        return "".join(sorted((self.certificate, *self.others)))

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


def folder() -> Path:
    """Return the folder of this user's authority."""
    return state_folder() / "local-ca"


def open_local_ca(place: Path) -> LocalCa:
    """Open the authority in `place`, and create it at its first use. Two processes that start at once get the same one."""
    certificate_file, key_file = place / "ca.pem", place / "ca.key"
    with _lock(place):
        if not certificate_file.exists():
            _create_authority(certificate_file, key_file)
        _finish_exchange(place)
        return _load_authority(certificate_file, key_file)


def trusted_files(place: Path) -> tuple[str, ...]:
    """Return the certificate files of the authority, and of the one that follows or precedes it; none before its first use."""
    return tuple(str(place / name) for name in ("ca.pem", _NEXT, _PREVIOUS) if (place / name).exists())


def exchange_stage(place: Path) -> Stage:
    """Say how far the exchange of this authority for another one is."""
    stages: tuple[tuple[str, Stage], ...] = ((_NEXT, "next"), (_PREVIOUS, "previous"), (_ENDED, "ended"))
    return next((stage for file, stage in stages if (place / file).exists()), "none")


def prepare_exchange(place: Path) -> None:
    """Create the authority that is to follow; until it is exchanged it issues nothing, and clients begin to trust it."""
    with _lock(place):
        if exchange_stage(place) == "none":
            _create_authority(place / _NEXT, place / _NEXT_KEY)


def exchange(place: Path) -> None:
    """Let the next authority issue from now on; the key of the one before is gone with this, its certificate is kept."""
    with _lock(place):
        if exchange_stage(place) == "next":
            # From the moment that this file exists, the next run that opens the authority finishes the exchange.
            atomic_file.write(place / _PREVIOUS, (place / "ca.pem").read_bytes(), mode=0o644)
            _finish_exchange(place)


def end_exchange(place: Path) -> None:
    """Trust the authority before no longer; its certificate is kept until the exchange is complete."""
    with _lock(place):
        if exchange_stage(place) == "previous":
            (place / _PREVIOUS).replace(place / _ENDED)


def complete_exchange(place: Path) -> None:
    """Forget the authority before, so that another exchange can begin."""
    with _lock(place):
        (place / _ENDED).unlink(missing_ok=True)


def _finish_exchange(place: Path) -> None:
    if not ((place / _PREVIOUS).exists() and (place / _NEXT).exists()):
        return
    if (place / _NEXT_KEY).exists():
        (place / _NEXT_KEY).replace(place / "ca.key")
    (place / _NEXT).replace(place / "ca.pem")


@contextmanager
def _lock(place: Path) -> Iterator[None]:
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _load_authority(certificate_file: Path, key_file: Path) -> LocalCa:
    """Load the authority from these files. Raises Refused where they are damaged or don't match."""
    beside = [file for name in (_NEXT, _PREVIOUS) if (file := certificate_file.with_name(name)).exists()]
    try:
        others = tuple(file.read_text() for file in beside)
        authority = LocalCa(certificate_file, certificate_file.read_text(), Secret(key_file.read_text()), others)
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

"""The certificate authority of one start: its key stays in memory, only its certificate is written to a file."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from embedded_aws.world import ServerCertificate
from sre_core import atomic_file, private_ca

_LIFE = timedelta(days=90)


class LocalAuthority:
    """Issues server certificates that only clients with `ca_file` trust."""

    def __init__(self, ca_file: Path) -> None:
        self._key = private_ca.new_key()
        self._certificate = private_ca.issue_authority("embedded AWS, valid on this machine until it stops", self._key, _LIFE)
        self._ca_file = ca_file
        atomic_file.write(ca_file, private_ca.pem(self._certificate).encode(), mode=0o644)

    @property
    def ca_file(self) -> Path:
        return self._ca_file

    def issue(self, *names: str) -> ServerCertificate:
        """Issue a server certificate for these DNS names and IP addresses."""
        key = private_ca.new_key()
        certificate = private_ca.issue_server(names, key, issuer=self._certificate, issuer_key=self._key, life=_LIFE)
        chain = private_ca.pem(certificate) + private_ca.pem(self._certificate)
        return ServerCertificate(chain=chain, key=private_ca.key_pem(key))

"""The protocol of a certificate source: it has a chain and its key for the names of a machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

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

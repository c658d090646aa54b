"""What a certificate source is: something that has a chain and its key for the names of a machine."""

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
    """A local certificate authority, or files that the user has."""

    @property
    def identity(self) -> str:
        """What tells a certificate of this source from any other; a new one means that a new certificate is needed."""
        ...

    @property
    def renews(self) -> bool:
        """Whether `issue` gives a fresh certificate. A file in its last days does not get better by storing it again."""
        ...

    def issue(self, hosts: tuple[str, ...]) -> Issued:
        """A certificate for these DNS names and IP addresses."""
        ...

    def console(self, hosts: tuple[str, ...]) -> tuple[str, ...]:
        """How a person gets the certificate by hand."""
        ...

"""A certificate authority and a certificate for a test, made when it runs."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from sre_core import private_ca


def written(folder: Path, domain: str, *, days: int = 60) -> None:
    """Write ca.pem, fullchain.pem and privkey.pem for a domain, as a company's own authority would give them."""
    authority_key, key = private_ca.new_key(), private_ca.new_key()
    authority = private_ca.issue_authority("A company's own CA", authority_key, timedelta(days=365))
    leaf = private_ca.issue_server((domain,), key, issuer=authority, issuer_key=authority_key, life=timedelta(days=days))
    (folder / "ca.pem").write_text(private_ca.pem(authority))
    (folder / "fullchain.pem").write_text(private_ca.pem(leaf))
    (folder / "privkey.pem").write_text(private_ca.key_pem(key))

"""What a blueprint must know of the place that it is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sre_agent_deploy.tls.source import CertificateSource


@dataclass(frozen=True)
class Site:
    """What a blueprint must know of the place it is for: looked up, never decided, by `place.py`."""

    account_id: str
    region: str
    partition: str
    vpc_id: str
    vpc_cidr: str
    subnet_id: str
    image_id: str
    release: bytes
    release_sha256: str
    openapi: Mapping[str, str]
    certificate: CertificateSource
    private_ca: str = ""
    """The CA certificate, in PEM, when clients and the gateway don't know it already."""

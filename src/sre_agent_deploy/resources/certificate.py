"""The certificate of the front door, kept in AWS Secrets Manager"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Self

from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sre_agent_deploy.later import LaterText, require_known
from sre_agent_deploy.resource import CfnResource, Found, Mark, Steps, tags_of
from sre_agent_deploy.resources.secretsmanager_calls import (
    InSecretsManager,
    create_secret,
    describe_secret,
    put_values,
    read_access,
    read_values,
    restore_access,
    restore_values,
)
from sre_agent_deploy.tls import acme, expiry
from sre_agent_deploy.tls.chain import CertificateSource, Chain, Issued, find_faults
from sre_core import clock
from sre_core.secret import Secret

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

__all__ = ["Certificate", "CertificateSource"]


@dataclass(frozen=True)
class _Stored:
    """The source of a certificate that was read from AWS: it has an identity, but issues nothing."""

    identity: str
    renews: bool

    def issue(self, hosts: tuple[str, ...]) -> Issued:
        raise TypeError("a certificate that was read can't be issued again")

    def console(self, hosts: tuple[str, ...]) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True, kw_only=True)
class Certificate(InSecretsManager):
    """The chain and key that the machine serves HTTPS with; it reads them by their ARN.

    Expected is a certificate of this source, for these hosts, with more than 30 days left. If one of these differs,
    an update stores another certificate. Keys are never compared.
    """

    LISTS_KIND: ClassVar[bool] = False
    UNSEEN: ClassVar[Mapping[str, str]] = {"source": "what it issues is compared instead, as `issued_by` and `fresh`"}

    name: str
    secret_name: str
    source: CertificateSource = field(compare=False)
    hosts: tuple[LaterText, ...]
    issued_by: str = ""
    fresh: bool = True
    policy: str = ""
    kms_key: str = ""
    rotates: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "hosts", tuple(sorted(self.hosts, key=str)))
        object.__setattr__(self, "issued_by", self.source.identity)
        # Storing files again in their last days would not renew them: their owner is warned instead.
        object.__setattr__(self, "fresh", self.source.renews)

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        found = describe_secret(aws, id)
        if found is None:
            return None
        parts = read_values(aws, id)
        chain = _parse_chain(parts)
        fresh = chain is not None and not expiry.needs_renewal(chain.leaf.not_valid_before_utc, chain.not_after, clock.now())
        source = _Stored(chain.identity if chain else "", fresh)
        if chain and (settings := acme.read_settings(parts)):
            # The machine orders it again in time.
            source = _Stored(settings.identity, renews=True)
        seen = cls(name=name, secret_name=found["Name"], source=source, hosts=_find_hosts(parts, chain), **read_access(aws, id, found))
        outputs = {"secret_arn": found["ARN"]} | (
            {"not_after": clock.stamp(chain.not_after)} if chain and not acme.waits_for_first_order(parts) else {}
        )
        return Found(id, seen, outputs, tags_of(found.get("Tags")))

    def create(self, aws: Aws, mark: Mark) -> str:
        return create_secret(aws, mark, self.secret_name, self._description(), self._values({}))

    def configure(self, aws: Aws, id: str) -> None:
        restore_access(aws, id)
        found = type(self).read(aws, id, self.name)
        if found is None or dataclasses.replace(found.seen, kms_key=self.kms_key) != self:
            put_values(aws, id, self._values(restore_values(aws, id)), description=self._description())

    def console(self) -> Steps:
        return (
            "Secrets Manager > Store a new secret > Other type of secret > Key/value",
            *self.source.console(tuple(map(str, self.hosts))),
            f"Secret name: {self.secret_name}",
            f"Description: {self._description()}",
            "Configure rotation: leave off",
        )

    def template(self) -> CfnResource:
        note = (
            f"A template must not hold a private key. After creation, put one for {self._names()} into {self.secret_name} as JSON: "
            '{"certificate": "<PEM chain, leaf first>", "private_key": "<PEM>"}.'
        )
        return CfnResource(self.KIND, {"Name": self.secret_name}, {"secret_arn": "Ref"}, note=note)

    def _names(self) -> str:
        return ", ".join(map(str, self.hosts))

    def _description(self) -> str:
        return f"TLS certificate and key of {self._names()}"

    def _values(self, stored: Mapping[str, Secret]) -> dict[str, Secret]:
        """Choose what is stored. Of a certificate that the machine orders, the one that is there is served on until then."""
        hosts = tuple(map(require_known, self.hosts))
        if isinstance(self.source, acme.AcmeSource) and _parse_chain(stored):
            pair = {key: stored[key] for key in ("certificate", "private_key")}
        else:
            issued = self.source.issue(hosts)
            pair = {"certificate": Secret(issued.chain), "private_key": issued.private_key}
            stored = {key: text for key, text in stored.items() if key != acme.ORDERED_FROM}
        settings = self.source.parts(stored) if isinstance(self.source, acme.AcmeSource) else {}
        return {**pair, "hosts": Secret(" ".join(hosts)), **settings}


def read_stored(aws: Aws, id: str) -> tuple[Chain, expiry.Source | None] | None:
    """Read the certificate that is stored, and its source where the machine orders it; None where no authority has issued it yet."""
    parts = read_values(aws, id)
    chain = _parse_chain(parts)
    if chain is None or acme.waits_for_first_order(parts):
        return None
    return chain, "letsencrypt" if acme.read_settings(parts) else None


def _text(parts: Mapping[str, Secret], key: str) -> str:
    return parts[key].reveal() if key in parts else ""


def _parse_chain(parts: Mapping[str, Secret]) -> Chain | None:
    """Parse the stored chain; None if no server could use it: it is damaged, out of order, or its key does not match."""
    try:
        chain = Chain.parse(_text(parts, "certificate"))
        key = load_pem_private_key(_text(parts, "private_key").encode(), password=None)
    except (ValueError, TypeError):
        return None
    return None if find_faults(chain, key.public_key(), ()) else chain


def _find_hosts(parts: Mapping[str, Secret], chain: Chain | None) -> tuple[str, ...]:
    """Answer the hosts that it was stored for, if it names them all; else the names that it has."""
    hosts = tuple(_text(parts, "hosts").split())
    if chain is None:
        return ()
    return hosts if hosts and all(map(chain.covers, hosts)) else chain.names

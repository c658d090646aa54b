"""A certificate that the machine orders from an ACME authority, such as Let's Encrypt: its settings, and when an order is due (pure).

The secret in Secrets Manager is the contract between the deployer, which writes the settings and asks for an order, and the machine,
which writes the certificate and the key of its account. So a replaced machine orders nothing that is there already.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Literal

from sre_agent_deploy.tls.chain import Chain, Issued
from sre_core import private_ca
from sre_core.secret import Secret

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
LETS_ENCRYPT_STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"

type Challenge = Literal["http-01", "dns-01"]

# The keys of the secret besides certificate, private_key and hosts.
SETTINGS, ACCOUNT_KEY, ORDERED_FROM, ASKED = "acme_settings", "acme_account_key", "acme_ordered_from", "acme_asked"

REPORT = "certificate"
"""The name of the report that the machine writes about an order, below its status URI."""

_PLACEHOLDER_LIFE = timedelta(days=90)


def challenge_record(domain: str) -> str:
    """Name the TXT record that proves a domain by DNS-01."""
    return f"_acme-challenge.{domain}"


@dataclass(frozen=True)
class AcmeSettings:
    """The authority, the account's address, and how the domain is proved. `hosted_zone_id` is for dns-01 only."""

    directory: str
    email: str
    challenge: Challenge
    hosted_zone_id: str = ""
    directory_ca: str = ""
    """The authority that the directory's own HTTPS certificate leads to, in PEM; empty for a public one."""

    @property
    def identity(self) -> str:
        """Describe the settings in one line; other settings have another line."""
        trusted = f", trusted by {hashlib.sha256(self.directory_ca.encode()).hexdigest()[:16]}" if self.directory_ca else ""
        zone = f" in {self.hosted_zone_id}" if self.hosted_zone_id else ""
        return f"ordered from {self.directory} by {self.challenge}{zone}, account {self.email or 'without an address'}{trusted}"

    def text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str) -> AcmeSettings | None:
        """Parse the settings in a secret; None where they are absent or damaged."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            return None


@dataclass(frozen=True)
class AcmeSource:
    """Leaves the certificate to the machine, and gives a placeholder until the machine has ordered it."""

    settings: AcmeSettings

    @property
    def identity(self) -> str:
        return self.settings.identity

    @property
    def renews(self) -> bool:
        return True

    def issue(self, hosts: tuple[str, ...]) -> Issued:
        """Issue a placeholder, of an authority whose key is deleted: nginx can start with it, and no client trusts it."""
        authority_key, key = private_ca.new_key(), private_ca.new_key()
        authority = private_ca.issue_authority("sre-agent placeholder", authority_key, _PLACEHOLDER_LIFE)
        leaf = private_ca.issue_server(hosts, key, issuer=authority, issuer_key=authority_key, life=_PLACEHOLDER_LIFE)
        return Issued(private_ca.pem(leaf) + private_ca.pem(authority), Secret(private_ca.key_pem(key)))

    def parts(self, stored: Mapping[str, Secret]) -> dict[str, Secret]:
        """Return the settings, and keep what the machine has stored. Each order must be asked for."""
        kept = {key: stored[key] for key in (ACCOUNT_KEY, ORDERED_FROM) if key in stored}
        return {**kept, SETTINGS: Secret(self.settings.text())}

    def console(self, hosts: tuple[str, ...]) -> tuple[str, ...]:
        """Tell how to enter the settings by hand, with a placeholder that the machine replaces."""
        host = hosts[0] if hosts else ""
        make = f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 90 -subj /CN={host}"
        return (
            f"Make a placeholder: {make} -addext subjectAltName=DNS:{host} -keyout key.pem -out certificate.pem",
            "key certificate, value: the text of certificate.pem",
            "key private_key, value: the text of key.pem",
            f"key hosts, value: {' '.join(hosts)}",
            f"key {SETTINGS}, value: {self.settings.text()}",
            "When the instance runs, `sre-agent-deploy deploy` lets it order the certificate",
        )


def read_settings(stored: Mapping[str, Secret]) -> AcmeSettings | None:
    """Read the settings of a secret; None where its certificate is not ordered."""
    return AcmeSettings.parse(_text(stored, SETTINGS))


def explain_due(stored: Mapping[str, Secret], now: datetime) -> str:
    """Say why the stored certificate is not the one that the settings ask for; empty where it is, also when a renewal is due."""
    settings = read_settings(stored)
    if settings is None:
        return ""
    if (source := _text(stored, ORDERED_FROM)) != settings.directory:
        return f"the one that is there was issued by {source}" if source else "there is none yet"
    chain = Chain.parse(_text(stored, "certificate"))
    if missing := [host for host in _text(stored, "hosts").split() if not chain.covers(host)]:
        return f"the one that is there does not name {', '.join(missing)}"
    return "the one that is there has expired" if chain.not_after <= now else ""


def waits_for_first_order(stored: Mapping[str, Secret]) -> bool:
    """Say if the machine is to order the certificate and never has: the stored one only bridges the time until then."""
    return read_settings(stored) is not None and not _text(stored, ORDERED_FROM)


def ask_for_order(stored: Mapping[str, Secret], instance_id: str, now: str) -> dict[str, Secret]:
    """Ask one instance for an order: two machines of an update must not both order."""
    return {**stored, ASKED: Secret(f"{instance_id} {now}")}


def asks(stored: Mapping[str, Secret], instance_id: str) -> bool:
    """Say if an order was asked of this instance."""
    return _text(stored, ASKED).partition(" ")[0] == instance_id


def _text(parts: Mapping[str, Secret], key: str) -> str:
    return parts[key].reveal() if key in parts else ""

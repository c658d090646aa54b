"""The ACME authority that a machine orders from: Pebble on this computer, which finds the machine by the hosted zone."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from fixtures.pebble import Pebble, RenewalInfo
from sre_core import clock


@dataclass
class PublicDns:
    """Shows the hosted zone of the local AWS as public DNS; nothing before there is one."""

    _zone: list[tuple[Any, str]] = field(default_factory=list)

    def look_in(self, route53: Any, zone: str) -> None:
        self._zone = [(route53, zone)]

    def read(self, name: str, kind: str) -> list[str]:
        listed = [
            each for route53, zone in self._zone for each in route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
        ]
        found = (each for each in listed if (each["Name"].rstrip("."), each["Type"]) == (name, kind))
        return [value["Value"] for each in found for value in each["ResourceRecords"]]


@dataclass(frozen=True)
class Authority:
    """A running Pebble, with the renewal information that Debian's version does not give."""

    pebble: Pebble
    info: RenewalInfo

    @property
    def ports(self) -> tuple[str, ...]:
        """Return the ports at which the machine must reach it."""
        return tuple(str(urlsplit(url).port) for url in (self.pebble.directory, self.info.url))

    @property
    def root(self) -> str:
        """Return the CA certificate of what it issues."""
        return self.pebble.root

    def settings(self) -> dict[str, str]:
        """Return the settings of a deployment that orders from it."""
        return {
            "SRE_AGENT__TLS__SOURCE": "letsencrypt",
            "SRE_AGENT__TLS__DIRECTORY_URL": self.info.url,
            "SRE_AGENT__TLS__DIRECTORY_CA_PATH": str(self.pebble.ca_file),
        }

    def suggest_renewal(self) -> None:
        """Let it suggest that every certificate is renewed now."""
        self.info.suggest(clock.now() - timedelta(hours=1))

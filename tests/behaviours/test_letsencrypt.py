"""The production path with a certificate from an ACME authority: ordered once, renewed under load, and kept by a replaced machine."""

from __future__ import annotations

import json
import shutil
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from behaviours.asking import asking
from behaviours.command_line import ROOT, Desk
from fixtures.pebble import RenewalInfo, pebble, renewal_info
from sre_core import clock

DOMAIN = "sre.example.com"


def _can_listen_on_80() -> bool:
    with socket.socket() as trying:
        try:
            trying.bind(("127.0.0.1", 80))
        except OSError:
            return False
        return True


class Zone:
    """The hosted zone of the local AWS as public DNS shows it; `broken` is a domain that leads nowhere."""

    def __init__(self, desk: Desk) -> None:
        self._route53 = desk.client("route53")
        made = self._route53.create_hosted_zone(Name="example.com", CallerReference="test")["HostedZone"]
        self.id = made["Id"].rpartition("/")[2]
        self.broken = True

    def records(self, name: str, kind: str) -> list[str]:
        if kind == "A" and self.broken:
            return []
        listed = self._route53.list_resource_record_sets(HostedZoneId=self.id)["ResourceRecordSets"]
        found = (each for each in listed if (each["Name"].rstrip("."), each["Type"]) == (name, kind))
        return [value["Value"] for each in found for value in each["ResourceRecords"]]


def _settings(desk: Desk, zone: Zone, info: RenewalInfo, authority: Path) -> dict[str, str]:
    registry = desk.registry()
    return {
        "AWS_ENDPOINT_URL": registry["endpoint"],
        "AWS_CA_BUNDLE": registry["ca_file"],
        "AWS_ACCESS_KEY_ID": registry["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": registry["secret_access_key"],
        "AWS_ACCOUNT_ID": registry["account_id"],
        "SRE_DOMAIN_NAME": DOMAIN,
        "SRE_SSL_CA_PATH": str(desk.folder / "root.pem"),
        "SRE_AGENT__TLS__SOURCE": "letsencrypt",
        "SRE_AGENT__TLS__DIRECTORY_URL": info.url,
        "SRE_AGENT__TLS__DIRECTORY_CA_PATH": str(authority),
        "SRE_AGENT__DEPLOYMENT__HOSTED_ZONE_ID": zone.id,
        "SRE_AGENT__DEPLOYMENT__DNS_TTL": "1",
    }


def _secret(desk: Desk) -> tuple[str, dict[str, str]]:
    secrets = desk.client("secretsmanager")
    [name] = [each["Name"] for each in secrets.list_secrets()["SecretList"] if each["Name"].endswith("/certificate")]
    return name, json.loads(secrets.get_secret_value(SecretId=name)["SecretString"])


def _renewed(desk: Desk, info: RenewalInfo) -> dict[str, str]:
    """Let the authority suggest a renewal now, and wait until the machine has stored the next certificate."""
    name, before = _secret(desk)
    info.suggest(clock.now() - timedelta(hours=1))
    desk.client("secretsmanager").put_secret_value(SecretId=name, SecretString=json.dumps({**before, "acme_asked": "nobody"}))
    deadline = time.monotonic() + 120
    while (stored := _secret(desk)[1])["certificate"] == before["certificate"]:
        assert time.monotonic() < deadline, "not renewed"
        time.sleep(0.5)
    info.suggest(clock.now() + timedelta(days=30))
    return stored


@pytest.mark.needs("pebble")
@pytest.mark.skipif(not _can_listen_on_80(), reason="an authority asks port 80, where this user can't listen")
@pytest.mark.timeout(900)
def test_production_with_an_acme_authority(desk: Desk, tried: Callable[[str, int], None]) -> None:
    """A refused order is reported with the authority's text; then it is ordered once, renewed without a failed request, and kept."""
    desk.start_aws()
    shutil.copy(ROOT / "examples" / "production.yaml", desk.folder / "config.yaml")
    zone, folder = Zone(desk), desk.folder / "pebble"
    start = clock.now() + timedelta(days=30)
    with pebble(folder, zone.records, http_port=80) as authority, renewal_info(authority, folder, start) as info:
        (desk.folder / "root.pem").write_text(authority.root)
        settings = _settings(desk, zone, info, authority.ca_file)

        refused = desk.deploy("--config", "config.yaml", "--mode", "production", **settings)
        assert refused.code == 1, refused.text
        assert "TLS-ORDER-FAILED" in refused.err, refused.text
        assert f"Point {DOMAIN} to 127." in refused.err, refused.text

        # The machine without a certificate is replaced, too: nothing can be verified before the order.
        zone.broken, settings["SRE_AGENT__DEPLOYMENT__VOLUME_GB"] = False, "60"
        ended = desk.deploy("deploy", "--yes", **settings)
        assert ended.code == 0, ended.text
        assert "is verified" in ended.out
        served = json.loads(desk.deploy("certs", "--json", **settings).out)
        assert (served["names"], served["trusted"], served["source"], served["problems"]) == ([DOMAIN], True, "letsencrypt", [])
        first = _secret(desk)[1]
        with asking(desk, desk.folder / "root.pem", DOMAIN, zone.id) as clients:
            renewed = _renewed(desk, info)
            assert renewed["acme_account_key"] == first["acme_account_key"]
            _kept_by_another_machine(desk, settings, renewed)
        assert clients.failed == []
        tried("requests through a renewal and an update", clients.answered)


def _kept_by_another_machine(desk: Desk, settings: dict[str, Any], renewed: dict[str, str]) -> None:
    updated = desk.deploy("deploy", "--yes", **{**settings, "SRE_AGENT__DEPLOYMENT__VOLUME_GB": "70"})
    assert updated.code == 0, updated.text
    assert _secret(desk)[1] == renewed

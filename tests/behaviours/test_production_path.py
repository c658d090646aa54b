"""The production path itself, against an AWS that is not Amazon's: domain, own certificate, Route 53, and no local shortcuts."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping

import pytest

from behaviours import certificates, lister
from behaviours.asking import asking
from behaviours.assertions import addressed, assert_gone, assert_served, assert_verified, running
from behaviours.command_line import ROOT, Desk
from fixtures.sample import THOROUGH
from sre_agent_deploy.journal.state import Record, State
from sre_agent_deploy.journal.store import FileStore

DOMAIN = "sre.example.com"


def _prepared(desk: Desk, **changed: str) -> dict[str, str]:
    """Start an AWS, copy the production example, make a certificate; answers the environment that a user would export."""
    desk.start_aws()
    certificates.written(desk.folder, DOMAIN)
    shutil.copy(ROOT / "examples" / "production.yaml", desk.folder / "config.yaml")
    registry = desk.registry()
    settings = {
        "AWS_ENDPOINT_URL": registry["endpoint"],
        "AWS_CA_BUNDLE": registry["ca_file"],
        "AWS_ACCESS_KEY_ID": registry["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": registry["secret_access_key"],
        "AWS_ACCOUNT_ID": registry["account_id"],
        "SRE_DOMAIN_NAME": DOMAIN,
        "SRE_SSL_CERT_PATH": str(desk.folder / "fullchain.pem"),
        "SRE_SSL_KEY_PATH": str(desk.folder / "privkey.pem"),
        "SRE_SSL_CA_PATH": str(desk.folder / "ca.pem"),
    }
    return {**settings, **changed}


@pytest.mark.timeout(900)  # four deployments under load
def test_production_mode_against_an_endpoint(desk: Desk, tried: Callable[[str, int], None]) -> None:
    """examples/production.yaml deploys, is verified, says loudly which AWS it is, and is cleaned up to what was there before.

    Between, twenty clients lose no request through an update, a rollback and a failed update.
    """
    settings = _prepared(desk)
    zone = desk.client("route53").create_hosted_zone(Name="example.com", CallerReference="test")["HostedZone"]["Id"].rpartition("/")[2]
    settings["SRE_AGENT__DEPLOYMENT__HOSTED_ZONE_ID"] = zone
    # A machine is drained for twice the TTL; clients whose requests take ten seconds need that.
    settings |= {"SRE_AGENT__DEPLOYMENT__DNS_TTL": "6" if THOROUGH else "1", "SRE_AGENT__DEPLOYMENT__KEEP_PREVIOUS": "1h"}
    settings |= {"SRE_AGENT__LIMITS__MONTHLY_USD": "50", "SRE_AGENT__ALERTS__EMAIL": "team@example.com"}
    before = lister.everything(desk.client)

    ended = desk.deploy("--config", "config.yaml", "--mode", "production", **settings)
    assert_verified(ended)
    assert f"NOT Amazon's AWS: every call goes to {settings['AWS_ENDPOINT_URL']}" in ended.err
    records = desk.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    [address] = desk.client("ec2").describe_addresses()["Addresses"]
    [record] = [record for record in records if record["Type"] == "A"]
    assert [value["Value"] for value in record["ResourceRecords"]] == [address["PublicIp"]]
    assert len(lister.everything(desk.client)["budgets"]) == 1
    assert "So that the budget counts anything, activate the tag sre-agent:deployment-id" in ended.out

    assert_served(desk, DOMAIN, **settings)
    _updated_without_a_gap(desk, zone, settings, tried)
    assert_gone(desk, desk.deploy("cleanup", "--yes", **settings), before)


def _updated_without_a_gap(desk: Desk, zone: str, settings: Mapping[str, str], tried: Callable[[str, int], None]) -> None:
    larger = {**settings, "SRE_AGENT__DEPLOYMENT__VOLUME_GB": "60"}
    # On another machine this address may answer, so preflight lets it pass.
    blind = {**settings, "SRE_AGENT__SERVICES__METRICS": '[{"source": "prometheus", "url": "http://127.0.0.1:9"}]'}
    with asking(desk, desk.folder / "ca.pem", DOMAIN, zone, slowly=THOROUGH) as clients:
        first = addressed(desk, zone)
        updated = desk.deploy("deploy", "--yes", **larger)
        assert updated.code == 0, updated.text
        second = addressed(desk, zone)
        assert second != first
        planned = desk.deploy("plan", **larger)
        # It has nothing to do.
        assert (planned.code, "kept for `sre-agent-deploy rollback`" in planned.text) == (0, True), planned.text
        returned = desk.deploy("rollback", "--yes", **larger)
        assert returned.code == 0, returned.text
        assert addressed(desk, zone) == first
        failed = desk.deploy("deploy", "--yes", "--on-failure", "rollback", **blind)
        assert failed.code == 1, failed.text
        assert "UPDATE-NOT-VERIFIED" in failed.err, failed.text
        assert addressed(desk, zone) == first
    assert clients.failed == []
    tried("requests through an update, a rollback and a failed update", clients.answered)
    assert len(running(desk)) == 1


def test_production_mode_in_the_wrong_account(desk: Desk) -> None:
    """Credentials of another account than the configuration's stop everything before the first change."""
    settings = _prepared(desk, AWS_ACCOUNT_ID="999988887777")
    before = lister.everything(desk.client)
    ended = desk.deploy("--config", "config.yaml", "--mode", "production", **settings)
    assert ended.code == 1
    assert "AWS-OTHER-ACCOUNT" in ended.err
    assert "999988887777" in ended.err
    assert lister.everything(desk.client) == before


def test_production_mode_beside_a_local_deployment(desk: Desk) -> None:
    """The state of a local deployment that runs is never overwritten: without it, nothing would lead to what it holds."""
    settings = _prepared(desk)
    start_id = desk.registry()["start_id"]
    local = State("sre-local", settings["AWS_ACCOUNT_ID"], "us-east-1", "local", "local.yaml", {"endpoint": "", "start_id": start_id})
    bucket = Record("bucket", "AWS::S3::Bucket", 1, "token", "ready", "2026-11-22T15:00:00Z", id="sre-local-bucket")
    FileStore(desk.state_file).save(local.with_record(bucket))
    before = desk.state_file.read_bytes()

    ended = desk.deploy("--config", "config.yaml", "--mode", "production", **settings)
    assert "STATE-OTHER-DEPLOYMENT" in ended.err, ended.text
    planned = desk.deploy("plan", "--config", "config.yaml", "--mode", "production", **settings)
    assert "STATE-OTHER-DEPLOYMENT" in planned.err, planned.text
    assert desk.state_file.read_bytes() == before

"""The promises of a deployment at each step of its life. The local suite and `make test-aws` assert the same, by these functions."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from pathlib import Path

from behaviours import lister
from behaviours.asking import asking
from behaviours.command_line import Desk, Ended

ONE_OF_EACH = {"buckets": 1, "pools": 1, "clients": 2, "instances": 1, "addresses": 1, "gateways": 1, "targets": 4, "providers": 1}
ONE_OF_EACH |= {"roles": 2, "profiles": 1}

type Listing = Mapping[str, list[str]]


def assert_verified(ended: Ended) -> None:
    """A run ended well, and says that the deployment is verified."""
    assert ended.code == 0, ended.text
    assert "is verified" in ended.out


def assert_unchanged(desk: Desk, **settings: str) -> None:
    """A plan has nothing to do."""
    planned = desk.deploy("plan", **settings)
    assert planned.code == 0, planned.text


def assert_served(desk: Desk, domain: str, **settings: str) -> None:
    """The front door shows a certificate for this name alone, and clients trust it."""
    served = json.loads(desk.deploy("certs", "--json", **settings).out)
    assert (served["names"], served["trusted"], served["problems"]) == ([domain], True, [])


def assert_killed(ended: Ended) -> None:
    """A run ended as a lost machine ends it: without a chance to tidy up."""
    assert ended.code == -signal.SIGKILL, ended.text


def assert_resumed(desk: Desk, ended: Ended, before: Listing | None = None) -> None:
    """After a resume everything is ready, verified, and there once: nothing was created twice, and nothing is missing.

    Only a machine that was replaced may be recorded as gone.
    """
    assert_verified(ended)
    assert phases(desk.state_file) - {"gone"} == {"ready"}
    there = lister.everything(desk.client)
    assert {kind: len(there[kind]) - len((before or {}).get(kind, ())) for kind in ONE_OF_EACH} == ONE_OF_EACH


def assert_updated_under_load(desk: Desk, zone: str, ca_file: Path, domain: str, **settings: str) -> int:
    """An update moves the name to another machine, and twenty clients lose no request; returns how many were answered."""
    with asking(desk, ca_file, domain, zone) as clients:
        first = addressed(desk, zone)
        updated = desk.deploy("deploy", "--yes", **settings)
        assert updated.code == 0, updated.text
        assert addressed(desk, zone) != first
    assert clients.failed == []
    assert clients.answered > 0
    return clients.answered


def assert_exchanged(desk: Desk, before: list[str], after: list[str]) -> None:
    """Each value is another one, and each client has one secret: what was valid before is refused."""
    assert [old for old, new in zip(before, after, strict=True) if old == new] == []
    login = desk.client("cognito-idp")
    for client in ("gateway_client", "caller_client"):
        pool, _, id = records(desk)[f"{client}-1"]["id"].partition("/")
        assert len(login.list_user_pool_client_secrets(UserPoolId=pool, ClientId=id)["ClientSecrets"]) == 1


def assert_gone(desk: Desk, ended: Ended, before: Listing) -> None:
    """A cleanup ended well, and unfiltered listings show exactly what was there before the deployment."""
    assert ended.code == 0, ended.text
    assert lister.everything(desk.client) == before


def secret_values(desk: Desk) -> list[str]:
    """Read the API key and both client secrets as Secrets Manager has them now."""
    ids = [records(desk)[name]["id"] for name in ("backend_key-1", "gateway_client_secret-1", "caller_client_secret-1")]
    return [desk.client("secretsmanager").get_secret_value(SecretId=id)["SecretString"] for id in ids]


def records(desk: Desk) -> dict[str, dict[str, str]]:
    """Read the records of the state file."""
    found: dict[str, dict[str, str]] = json.loads(desk.state_file.read_text())["records"]
    return found


def phases(state_file: Path) -> set[str]:
    return {record["phase"] for record in json.loads(state_file.read_text())["records"].values()}


def addressed(desk: Desk, zone: str) -> str:
    """Read the address that the first A record of a zone leads to."""
    shown = desk.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return next(record["ResourceRecords"][0]["Value"] for record in shown if record["Type"] == "A")


def running(desk: Desk) -> list[str]:
    """List the deployed instances that run."""
    filters = [{"Name": "instance-state-name", "Values": ["running"]}, {"Name": "tag-key", "Values": ["sre-agent:deployment-id"]}]
    reservations = desk.client("ec2").describe_instances(Filters=filters)["Reservations"]
    return [instance["InstanceId"] for reservation in reservations for instance in reservation["Instances"]]

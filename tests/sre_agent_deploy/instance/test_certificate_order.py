"""The machine orders its certificate from a real ACME server, once, renews it, and reports a failure with the authority's text."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from fixtures.embedded import EmbeddedAws
from fixtures.pebble import BLOCKED, Pebble, Records, pebble, renewal_info
from fixtures.ports import free_port
from sre_agent_deploy.instance import Layout, certificate_order
from sre_agent_deploy.instance.aws import MachineAws
from sre_agent_deploy.instance.certificate_order import keep_ordered
from sre_agent_deploy.instance.nginx import NginxPaths, render_nginx_conf
from sre_agent_deploy.instance.steps import BootReport, StepFailed
from sre_agent_deploy.policies import order_statements
from sre_agent_deploy.resources.policy_document import Statement, permissions_policy
from sre_agent_deploy.tls.acme import AcmeSettings, AcmeSource
from sre_agent_deploy.tls.chain import Chain
from sre_core import clock
from sre_core.machine import FrontDoor, Listener, SecretRef

pytestmark = [pytest.mark.needs("pebble"), pytest.mark.needs("nginx")]

HOST, INSTANCE = "sre.example.com", "i-1"
HTTP_PORT = free_port()


class Names:
    """Public DNS as the authority sees it; some test looks up the records of a hosted zone instead."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.own: dict[tuple[str, str], list[str]] = {(HOST, "A"): ["127.0.0.1"]}
        self.look_up: Records = lambda name, kind: self.own.get((name, kind), [])

    def records(self, name: str, kind: str) -> list[str]:
        return self.look_up(name, kind)


DNS = Names()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pebble")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Iterator[Pebble]:
    with pebble(folder, DNS.records, http_port=HTTP_PORT) as running:
        yield running


@dataclass
class Reports:
    """The reports of the machine."""

    written: list[dict[str, Any]] = field(default_factory=list)

    def put_object(self, uri: str, body: str) -> None:
        assert uri.endswith("/certificate.json")
        self.written.append(json.loads(body))


@dataclass
class Ordering:
    """A machine, its secret, and its reports."""

    authority: Pebble
    layout: Layout
    secrets: Any
    arn: str
    reports: Reports

    @property
    def parts(self) -> dict[str, str]:
        return dict(json.loads(self.secrets.get_secret_value(SecretId=self.arn)["SecretString"]))

    def settings(self, **changed: Any) -> AcmeSettings:
        given = {"directory": self.authority.directory, "email": "ops@example.org", "challenge": "http-01"}
        return AcmeSettings(**{**given, "directory_ca": self.authority.ca_file.read_text(), **changed})

    def put(self, **changed: str) -> None:
        self.secrets.put_secret_value(SecretId=self.arn, SecretString=json.dumps({**self.parts, **changed}))

    def choose(self, **changed: Any) -> None:
        """Ask for an order with these settings."""
        self.put(acme_settings=self.settings(**changed).text(), acme_asked=f"{INSTANCE} {clock.stamp()}")

    def order(self) -> bool:
        aws, report = MachineAws("us-east-1", waits=()), BootReport(self.reports, "s3://bucket/status/")
        return keep_ordered(aws, self.arn, self.layout, report, INSTANCE)


@pytest.fixture
def machine(authority: Pebble, client: Callable[[str], Any], tmp_path: Path) -> Iterator[Ordering]:
    DNS.clear()
    secrets, layout = client("secretsmanager"), Layout(tmp_path / "release", secrets=tmp_path / "etc", run=tmp_path / "run")
    arn = secrets.create_secret(Name=f"certificate-{uuid4()}", SecretString="{}")["ARN"]
    made = Ordering(authority, layout, secrets, arn, Reports())
    source = AcmeSource(made.settings())
    issued = source.issue((HOST,))
    made.put(certificate=issued.chain, private_key=issued.private_key.reveal(), hosts=HOST)
    made.put(**{key: text.reveal() for key, text in source.parts({}).items()})
    layout.certificate.parent.mkdir(parents=True)
    layout.certificate.write_text(issued.chain)
    layout.key.write_text(issued.private_key.reveal())
    with front_door(layout, tmp_path):
        yield made


@contextlib.contextmanager
def front_door(layout: Layout, folder: Path) -> Iterator[None]:
    """The plain port of the real nginx.conf."""
    (folder / "tmp").mkdir()
    place = NginxPaths(folder / "pid", folder, folder / "tmp", "user root;" if os.geteuid() == 0 else "", "127.0.0.1")
    conf = folder / "nginx.conf"
    door = FrontDoor(HOST, SecretRef(""), (Listener(free_port(), "public", ()),), HTTP_PORT, "letsencrypt")
    conf.write_text(render_nginx_conf(door, layout, place))
    with subprocess.Popen(["/usr/sbin/nginx", "-c", str(conf), "-g", "daemon off;"]) as server:
        try:
            while not (folder / "pid").exists():
                assert server.poll() is None
                time.sleep(0.02)
            yield
        finally:
            server.terminate()


def test_a_certificate_is_ordered_once(machine: Ordering, folder: Path) -> None:
    """It waits until this machine is chosen, orders once, renews when the authority asks for it, and keeps its account."""
    placeholder = machine.parts
    assert not machine.order(), "it was not asked"
    machine.put(acme_asked="i-2 now")
    assert not machine.order(), "another machine was asked"
    assert machine.parts["certificate"] == placeholder["certificate"]

    with renewal_info(machine.authority, folder, clock.now() + timedelta(days=30)) as info:
        machine.choose(directory=info.url)
        assert machine.order()
        first = machine.parts
        chain = Chain.parse(first["certificate"])
        assert (chain.names, first["acme_ordered_from"]) == ((HOST,), info.url)
        assert not machine.order(), "nothing is due"
        assert [report["state"] for report in machine.reports.written] == ["running", "ok"]
        # RFC 9773: the key identifier of the authority and the serial number of the certificate.
        assert info.asked
        assert all(len(certificate.split(".")) == 2 for certificate in info.asked)

        info.suggest(clock.now() - timedelta(minutes=1))
        assert machine.order()
        renewed = machine.parts
        assert renewed["certificate"] != first["certificate"]
        assert renewed["private_key"] != first["private_key"]
        assert renewed["acme_account_key"] == first["acme_account_key"]
    assert list(machine.layout.challenges.iterdir()) == [], "a proof was left"
    assert "PRIVATE KEY" not in json.dumps(machine.reports.written)


def test_another_authority_and_another_name(machine: Ordering) -> None:
    """A changed setting leads to a new order, by a TXT record too, with the existing account; until then the existing certificate stays."""
    zone = "Z0123456789ABCDEFGHIJ"
    machine.choose()
    assert machine.order()
    first = machine.parts
    DNS.own["other.example.com", "A"] = ["127.0.0.1"]
    machine.put(hosts="other.example.com")
    assert machine.order()
    assert Chain.parse(machine.parts["certificate"]).names == ("other.example.com",)
    assert machine.parts["acme_account_key"] == first["acme_account_key"]
    machine.choose(challenge="dns-01", hosted_zone_id=zone)
    assert not machine.order(), "another challenge alone orders nothing"


def test_a_record_proves_the_name(machine: Ordering, client: Callable[[str], Any]) -> None:
    """By dns-01 the machine makes one TXT record and deletes it; the name itself leads nowhere.

    What the deployer changes in the secret while the authority looks is kept.
    """
    route53 = client("route53")
    zone = route53.create_hosted_zone(Name="example.com", CallerReference=str(uuid4()))["HostedZone"]["Id"].rpartition("/")[2]

    def look_up() -> list[str]:
        listed = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
        return [value["Value"] for each in listed if each["Type"] == "TXT" for value in each["ResourceRecords"]]

    def look_up_and_change(name: str, kind: str) -> list[str]:
        machine.put(changed="meanwhile")
        return look_up() if (name, kind) == (f"_acme-challenge.{HOST}", "TXT") else []

    DNS.look_up = look_up_and_change
    machine.choose(challenge="dns-01", hosted_zone_id=zone)
    assert machine.order()
    assert look_up() == []
    assert machine.parts["changed"] == "meanwhile"


@pytest.mark.parametrize(
    ("kind", "broken"),
    [
        ("connection", {}),
        ("connection", {"records": ["127.0.0.9"]}),
        ("rejectedIdentifier", {"hosts": BLOCKED}),
        ("unreachable", {"directory": f"https://127.0.0.1:{free_port()}/dir"}),
        ("unreachable", {"directory_ca": ""}),
    ],
)
def test_why_an_order_failed(machine: Ordering, kind: str, broken: dict[str, Any]) -> None:
    """The report has the authority's own problem document, and what was served before stays."""
    DNS.own[HOST, "A"] = broken.pop("records", [])
    machine.put(hosts=broken.pop("hosts", HOST))
    before = machine.parts["certificate"]
    machine.choose(**broken)
    with pytest.raises(StepFailed):
        machine.order()
    report = machine.reports.written[-1]
    assert (report["step"], report["state"]) == ("certificate", "failed")
    [document] = json.loads(report["output"])
    assert document["type"].rpartition(":")[2] == kind
    assert document["detail"]
    assert machine.parts["certificate"] == before


def test_the_role_may_change_one_record(embedded: EmbeddedAws) -> None:
    """Under exactly the machine's policy: the TXT record of its domain in its zone, and its own secret, and nothing beside them."""
    iam, route53, name = embedded.client("iam"), embedded.client("route53"), f"role-{uuid4().hex[:8]}"
    own, other = (route53.create_hosted_zone(Name=f"{at}.com", CallerReference=str(uuid4()))["HostedZone"]["Id"] for at in ("own", "other"))
    secret, foreign = (
        embedded.client("secretsmanager").create_secret(Name=f"{at}-{uuid4()}", SecretString="{}")["ARN"] for at in ("a", "b")
    )
    statements = tuple(
        Statement(each.sid, each.actions, (secret,), each.conditions) if each.sid == "StoreCertificate" else each
        for each in order_statements("aws", own.rpartition("/")[2], "sre.own.com")
    )
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}')["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(permissions_policy(statements)))
    given = embedded.client("sts").assume_role(RoleArn=arn, RoleSessionName="i-1")["Credentials"]
    keys = {"aws_access_key_id": given["AccessKeyId"], "aws_secret_access_key": given["SecretAccessKey"]}

    def client(service: str) -> Any:
        return embedded.client(service, **keys, aws_session_token=given["SessionToken"])

    def change(zone: str, record: str, kind: str) -> str:
        value = '"x"' if kind == "TXT" else "192.0.2.1"
        made = {"Name": record, "Type": kind, "TTL": 60, "ResourceRecords": [{"Value": value}]}
        batch: Any = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": made}]}
        return str(client("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)["ChangeInfo"]["Id"])

    client("route53").get_change(Id=change(own, "_acme-challenge.sre.own.com", "TXT"))
    client("secretsmanager").put_secret_value(SecretId=secret, SecretString="{}")
    refused: list[Callable[[], object]] = [
        lambda: change(own, "sre.own.com", "A"),
        lambda: change(own, "_acme-challenge.sre.own.com", "A"),
        lambda: change(own, "_acme-challenge.www.own.com", "TXT"),
        lambda: change(other, "_acme-challenge.sre.own.com", "TXT"),
        lambda: client("secretsmanager").put_secret_value(SecretId=foreign, SecretString="{}"),
        lambda: client("route53").list_hosted_zones(),
    ]
    for call in refused:
        with pytest.raises(ClientError) as denied:
            call()
        assert "AccessDenied" in denied.value.response["Error"]["Code"]
    iam.delete_role_policy(RoleName=name, PolicyName="p")
    iam.delete_role(RoleName=name)


def test_who_may_read_a_proof(tmp_path: Path) -> None:
    """Only the front door, which is in the group of its folder, can read it; only the order can write it."""
    file = tmp_path / "challenges" / "token"
    certificate_order._write_readable(file, "proof")
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(file.parent.stat().st_mode) & 0o027) == (0o640, 0)

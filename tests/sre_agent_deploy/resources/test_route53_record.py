"""The domain's record is made with its owner's mark beside it, and never replaces a record of another owner."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.config.consistency import dns_mark_faults
from sre_agent_deploy.config.deployment import DeploymentConfig
from sre_agent_deploy.deployment_tags import state_tags, ttl_tags
from sre_agent_deploy.resource import Mark
from sre_agent_deploy.resources.route53_record import DnsRecord, mark_record

from .conftest import Marked
from .life import check_life_cycle, check_repair, create, delete, read, refused


@pytest.fixture
def record(aws: Aws) -> DnsRecord:
    """A record in a zone of its own."""
    domain = f"z{secrets.token_hex(4)}.example.com"
    zone = aws.client("route53").create_hosted_zone(Name=domain, CallerReference=domain)["HostedZone"]["Id"]
    return DnsRecord(name="dns", hosted_zone_id=zone.removeprefix("/hostedzone/"), domain=f"sre.{domain}", address="192.0.2.7")


def taken_by(aws: Aws, record: DnsRecord, name: str, value: str, record_type: str) -> None:
    """Make a record of another owner, with the same settings that ours would have."""
    made: Any = {"Name": name, "Type": record_type, "TTL": 60, "ResourceRecords": [{"Value": value}]}
    batch: Any = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": made}]}
    aws.client("route53").change_resource_record_sets(HostedZoneId=record.hosted_zone_id, ChangeBatch=batch)


def names(aws: Aws, record: DnsRecord) -> set[tuple[str, str]]:
    """Every record of the zone but its own."""
    shown = aws.client("route53").list_resource_record_sets(HostedZoneId=record.hosted_zone_id)["ResourceRecordSets"]
    return {(entry["Name"], entry["Type"]) for entry in shown if entry["Type"] not in ("NS", "SOA")}


def test_a_record_from_creation_to_deletion(aws: Aws, marked: Marked, record: DnsRecord) -> None:
    """Address and mark come and go together."""
    check_life_cycle(aws, record, marked("dns"))
    assert names(aws, record) == set()
    create(aws, record, marked("dns"))
    assert names(aws, record) == {(f"{record.domain}.", "A"), (f"_sre-agent.{record.domain}.", "TXT")}


def test_a_record_with_many_tags(aws: Aws, deployment: str, record: DnsRecord) -> None:
    """Its mark has all tags, an empty one too, in as many strings as DNS needs; also the one that a person enters."""
    tags = {"owner": "", **{f"team-{number}": "=" * 60 for number in range(12)}}
    mark = Mark(deployment, "dns", 1, "a token", tags)
    id = record.create(aws, mark)
    assert read(aws, record, id).tags == mark.tags()
    step = mark_record(record.console()[-1], deployment, tags)
    value = step.partition("Value: ")[2].partition("; TTL")[0]
    record_by_hand: Any = {"Name": f"_sre-agent.{record.domain}", "Type": "TXT", "TTL": 60, "ResourceRecords": [{"Value": value}]}
    batch: Any = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record_by_hand}]}
    aws.client("route53").change_resource_record_sets(HostedZoneId=record.hosted_zone_id, ChangeBatch=batch)
    assert read(aws, record, id).tags == mark.tags()
    record_by_hand["ResourceRecords"] = [{"Value": '"' + "x" * 256 + '"'}]
    with pytest.raises(ClientError, match="CharacterStringTooLong"):
        aws.client("route53").change_resource_record_sets(HostedZoneId=record.hosted_zone_id, ChangeBatch=batch)
    delete(aws, record, id, deployment)


def test_a_record_with_the_longest_tags(aws: Aws, deployment: str, record: DnsRecord) -> None:
    """The longest tags that a configuration may have fit into the mark, with the longest location of a state."""
    zone, state = DeploymentConfig(hosted_zone_id=record.hosted_zone_id), "s3://" + "=" * 251
    many = [{f"t{number}": "=" * length for number in range(14)} for length in range(50, 100)]
    accepted = [tags for tags in many if not list(dns_mark_faults(tags, zone, state))]
    assert 0 < len(accepted) < len(many)
    mark = Mark(deployment, "custom_domain_record", 1, "a token", {**accepted[-1], **ttl_tags("366d"), **state_tags(state)})
    id = record.create(aws, mark)
    assert read(aws, record, id).tags == mark.tags()
    delete(aws, record, id, deployment)
    with pytest.raises(ClientError, match="CharacterStringTooLong"):
        record.create(aws, Mark(deployment, "dns", 1, "a token", {f"t{number}": "=" * 100 for number in range(14)}))


def test_a_record_that_differs(aws: Aws, marked: Marked, deployment: str, record: DnsRecord) -> None:
    """Another address, or none, is put right; the mark stays."""
    id = create(aws, record, marked("dns"))
    check_repair(aws, record, id, address="198.51.100.9")
    assert read(aws, record, id).owner(deployment) == "us"
    delete(aws, record, id, deployment)


def test_a_record_of_another_owner(aws: Aws, marked: Marked, deployment: str, record: DnsRecord) -> None:
    """It shows as foreign before anything is created, and a creation is refused and leaves no mark."""
    taken_by(aws, record, record.domain, "192.0.2.7", "A")
    assert read(aws, record, record.natural_id(aws)).owner(deployment) == "stranger"
    assert refused(aws, record, marked("dns")).code == "DNS-RECORD-TAKEN"
    assert names(aws, record) == {(f"{record.domain}.", "A")}


def test_ipv6_of_another_owner(aws: Aws, deployment: str, record: DnsRecord) -> None:
    """An AAAA record keeps the name from us as well: `configure` would delete it."""
    taken_by(aws, record, record.domain, "2001:db8::7", "AAAA")
    assert read(aws, record, record.natural_id(aws)).owner(deployment) == "stranger"


def test_an_alias_of_another_owner(aws: Aws, deployment: str, record: DnsRecord) -> None:
    """A CNAME keeps the name from us as well."""
    taken_by(aws, record, record.domain, "elsewhere.example.com", "CNAME")
    assert read(aws, record, record.natural_id(aws)).owner(deployment) == "stranger"


def test_a_mark_whose_address_is_gone(aws: Aws, marked: Marked, deployment: str, record: DnsRecord) -> None:
    """It is still ours: configuring makes the address again, deleting takes the mark away."""
    id = create(aws, record, marked("dns"))
    found = aws.client("route53").list_resource_record_sets(HostedZoneId=record.hosted_zone_id)["ResourceRecordSets"]
    address = next(entry for entry in found if entry["Type"] == "A")
    batch: Any = {"Changes": [{"Action": "DELETE", "ResourceRecordSet": address}]}
    aws.client("route53").change_resource_record_sets(HostedZoneId=record.hosted_zone_id, ChangeBatch=batch)
    assert read(aws, record, id).owner(deployment) == "us"
    record.configure(aws, id)
    assert read(aws, record, id).seen == record
    delete(aws, record, id, deployment)


def test_a_zone_that_is_not_there(aws: Aws, marked: Marked) -> None:
    """It is a Problem that names the field."""
    nowhere = DnsRecord(name="dns", hosted_zone_id="Z0123456789ABCDEFGHIJ", domain="sre.example.com", address="192.0.2.7")
    problem = refused(aws, nowhere, marked("dns"))
    assert problem.code == "DNS-ZONE-NOT-FOUND"
    assert "deployment.hosted_zone_id" in problem.do[0]
    assert DnsRecord.read(aws, nowhere.natural_id(aws), "dns") is None


def test_a_domain_in_any_spelling(aws: Aws, marked: Marked, deployment: str, record: DnsRecord) -> None:
    """Capitals and a dot at the end name the same record."""
    spelled = DnsRecord(**{**vars(record), "domain": f"{record.domain.upper()}."})
    id = create(aws, spelled, marked("dns"))
    assert read(aws, spelled, id).seen == record
    delete(aws, spelled, id, deployment)

"""AWS::Route53::RecordSet"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import parse_qsl, urlencode

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.later import LaterText, require_known
from sre_agent_deploy.resource import (
    DEPLOYMENT_TAG,
    GENERATION_TAG,
    NAME_TAG,
    CfnResource,
    Defaults,
    Failures,
    Found,
    Mark,
    Owned,
    Steps,
    TagChanges,
    cfn,
)
from sre_agent_deploy.resources.cognito_domain import UserPoolDomain
from sre_agent_deploy.resources.ec2_address_association import AddressAssociation
from sre_agent_deploy.resources.ec2_elastic_ip import ElasticIp
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_TTL = 60
_HERITAGE = "heritage=sre-agent&"
# What the steps for a person say where only the blueprint knows the deployment's id and the user's tags.
_BY_HAND = "DEPLOYMENT-ID"
_MARK_BY_HAND = re.compile(rf'"({_HERITAGE}[^"]*)"')
# A string of a TXT record has so many characters at most; a value may have several, which are read as one.
_LONGEST_STRING = 255
_STRING = re.compile(r'"([^"]*)"')


@dataclass(frozen=True, kw_only=True)
class DnsRecord(Defaults):
    """Points the domain at the address. A TXT record beside it has the tags, which DNS records can't have.

    Both are written in one change, so there is never one without the other.
    """

    KIND: ClassVar[str] = "AWS::Route53::RecordSet"
    UNIQUE: ClassVar[bool] = True
    FIXED: ClassVar[frozenset[str]] = frozenset({"hosted_zone_id", "domain"})
    # A name that points to an address which another customer may get next would lead our users to them.
    DELETE_BEFORE: ClassVar[frozenset[str]] = frozenset({ElasticIp.KIND, AddressAssociation.KIND, UserPoolDomain.KIND})
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"hosted_zone_id", "domain"})
    MOST_TAGS: ClassVar[int] = 50
    REGIONAL: ClassVar[bool] = False

    name: str
    hosted_zone_id: str
    domain: str
    address: LaterText
    ttl: int = _TTL
    """How long a resolver may keep an answer, in seconds."""
    ipv6_address: LaterText = ""
    """The value of an AAAA record beside it, which changes with it; empty for none."""

    def __post_init__(self) -> None:
        # Route 53 keeps and shows names in lower case.
        object.__setattr__(self, "domain", self.domain.lower().rstrip("."))

    def natural_id(self, aws: Aws) -> str:
        return f"{self.hosted_zone_id}/{self.domain}"

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        pages = aws.client("route53").get_paginator("list_hosted_zones").paginate()
        zones = [zone["Id"].removeprefix("/hostedzone/") for page in pages for zone in page["HostedZones"]]
        found = [(f"{zone}/{domain}", tags) for zone in zones for domain, tags in _list_heritages(aws, zone)]
        return tuple(Owned.tagged(id, tags) for id, tags in found if tags.get(DEPLOYMENT_TAG) == deployment)

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        zone, domain = _split_id(id)
        of_domain = _find_records(aws, zone, domain)
        record = of_domain.get("A") or of_domain.get("CNAME")
        # Without a heritage it is others', and must be seen before `configure` deletes it.
        aaaa = of_domain.get("AAAA") if "AAAA" in cls._kinds() else None
        heritage = _find_heritage(aws, zone, domain)
        if record is None and aaaa is None and heritage is None:
            return None
        address, ipv6 = (",".join(value["Value"] for value in (each or {}).get("ResourceRecords", [])) for each in (record, aaaa))
        seen = cls(name=name, hosted_zone_id=zone, domain=domain, address=address, ttl=(record or {}).get("TTL", 0), ipv6_address=ipv6)
        return Found(id, seen, {"domain": domain, **({"ipv6_address": ipv6} if ipv6 else {})}, _parse_heritage(heritage))

    def create(self, aws: Aws, mark: Mark) -> str:
        # CREATE, not UPSERT: if there is another record of that name, the whole change is refused.
        heritage = _record_set(_heritage_name(self.domain), "TXT", _heritage(mark.tags()))
        _change(aws, self.hosted_zone_id, *(("CREATE", each) for each in self._addresses()), ("CREATE", heritage))
        return f"{self.hosted_zone_id}/{self.domain}"

    def configure(self, aws: Aws, id: str) -> None:
        zone, domain = _split_id(id)
        of_domain = _find_records(aws, zone, domain)
        seen = {kind: of_domain.get(kind) for kind in self._kinds()}
        wanted = {each["Type"]: each for each in self._addresses()}
        changes = [("UPSERT", each) for kind, each in wanted.items() if seen[kind] is None or not self._is_same(seen[kind], each)]
        changes += [("DELETE", record) for kind, record in seen.items() if record and kind not in wanted]
        if changes:
            # In one change, so that both lead to one machine.
            _change(aws, zone, *changes)

    def _is_same(self, record: Any, wanted: Any) -> bool:
        return bool(record == record | wanted | {"Name": record["Name"]})

    @classmethod
    def _kinds(cls) -> tuple[str, ...]:
        """List the types of the records that are its own."""
        return ("A", "AAAA")

    def _addresses(self) -> tuple[Any, ...]:
        ipv6 = require_known(self.ipv6_address)
        aaaa = (_record_set(self.domain, "AAAA", ipv6) | {"TTL": self.ttl},) if ipv6 else ()
        return self._address(), *aaaa

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        zone, domain = _split_id(id)
        seen = _parse_heritage(_find_heritage(aws, zone, domain))
        _change(aws, zone, ("UPSERT", _record_set(_heritage_name(domain), "TXT", _heritage(changes.merge(seen)))))

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        zone, domain = _split_id(id)
        of_domain = _find_records(aws, zone, domain)
        records = (*map(of_domain.get, cls._kinds()), _find_heritage(aws, zone, domain))
        if to_delete := [("DELETE", record) for record in records if record]:
            _change(aws, zone, *to_delete)

    def console(self) -> Steps:
        zone = f"Route 53 > Hosted zones > {self.hosted_zone_id} > Create record"
        return (
            f"{zone}; Record name: {self.domain}; Record type: A; Value: {self.address}; TTL: {self.ttl}",
            *(
                (f"{zone}; Record name: {self.domain}; Record type: AAAA; Value: {self.ipv6_address}; TTL: {self.ttl}",)
                if self.ipv6_address
                else ()
            ),
            f"{zone}; Record name: {_heritage_name(self.domain)}; Record type: TXT; Value: {self._mark_by_hand()}; TTL: {_TTL}",
        )

    def template(self) -> CfnResource:
        record = cfn(
            self.KIND,
            {"domain": "Ref"},
            HostedZoneId=self.hosted_zone_id,
            Name=self.domain,
            Type="A",
            TTL=str(self.ttl),
            ResourceRecords=(self.address,),
        )
        note = f"So that the record is known as this deployment's, add a TXT record {_heritage_name(self.domain)}: {self._mark_by_hand()}"
        # AWS::EC2::Instance has no attribute with its IPv6 address.
        aaaa = f"CloudFormation shows no IPv6 address of an instance: add an AAAA record {self.domain}: {self.ipv6_address}; TTL {self.ttl}"
        return replace(record, note=f"{note}. {aaaa}" if self.ipv6_address else note)

    def _mark_by_hand(self) -> str:
        return _heritage({DEPLOYMENT_TAG: _BY_HAND, NAME_TAG: self.name, GENERATION_TAG: "1"})

    def _address(self) -> Any:
        return _record_set(self.domain, "A", require_known(self.address)) | {"TTL": self.ttl}

    FAILURES: ClassVar[Failures] = {
        ("ChangeResourceRecordSets", "InvalidChangeBatch"): lambda record: Problem(
            code="DNS-RECORD-TAKEN",
            what=f"The DNS record of {record.domain} was not created.",
            why=f"Hosted zone {record.hosted_zone_id} has a record of that name already, or is not a zone of that domain.",
            do=(
                f"Check Route 53 > Hosted zones > {record.hosted_zone_id}: delete the old record if it is not needed, "
                "or set another deployment.domain_name.",
                "Run the same command again.",
            ),
        ),
        ("ChangeResourceRecordSets", "NoSuchHostedZone"): lambda record: Problem(
            code="DNS-ZONE-NOT-FOUND",
            what=f"The DNS record of {record.domain} was not created.",
            why=f"This account has no hosted zone {record.hosted_zone_id}.",
            do=(
                "Correct deployment.hosted_zone_id (Route 53 > Hosted zones), "
                "or leave it empty and create the record at the domain's DNS provider.",
                "Run the same command again.",
            ),
        ),
    }


_CLOUDFRONT_ZONE = "Z2FDTNDATAQYW2"
"""The hosted zone of every CloudFront distribution, as Route 53 documents it for AliasTarget."""


@dataclass(frozen=True, kw_only=True)
class AliasRecord(DnsRecord):
    """Points a domain at a CloudFront distribution, whose addresses change. It has no TTL of its own."""

    LISTS_KIND: ClassVar[bool] = False
    UNSEEN: ClassVar[Mapping[str, str]] = {"ttl": "an alias has the TTL of its target"}
    EXEMPT: ClassVar[Mapping[str, str]] = {"ttl": "an alias has none", "ipv6_address": "an alias has none"}

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        found = super().read(aws, id, name)
        if found is None:
            return None
        record = _find_records(aws, *_split_id(id)).get("A", {})
        target = record.get("AliasTarget", {}).get("DNSName", "").rstrip(".")
        return replace(
            found, seen=replace(found.seen, address=target or found.seen.address, ipv6_address=""), outputs={"domain": found.seen.domain}
        )

    @classmethod
    def _kinds(cls) -> tuple[str, ...]:
        return ("A",)

    def console(self) -> Steps:
        zone = f"Route 53 > Hosted zones > {self.hosted_zone_id} > Create record"
        return (
            f"{zone}; Record name: {self.domain}; Record type: A; Alias: Alias to CloudFront distribution; Value: {self.address}",
            f"{zone}; Record name: {_heritage_name(self.domain)}; Record type: TXT; Value: {self._mark_by_hand()}; TTL: {_TTL}",
        )

    def template(self) -> CfnResource:
        declared = super().template()
        kept = {key: value for key, value in declared.properties.items() if key not in ("TTL", "ResourceRecords")}
        return replace(declared, properties=kept | {"AliasTarget": self._target(self.address)})

    def _address(self) -> Any:
        return {"Name": self.domain, "Type": "A", "AliasTarget": self._target(require_known(self.address))}

    def _addresses(self) -> tuple[Any, ...]:
        return (self._address(),)

    def _is_same(self, record: Any, wanted: Any) -> bool:
        seen = record.get("AliasTarget", {})
        return bool(seen | {"DNSName": seen.get("DNSName", "").rstrip(".")} == wanted["AliasTarget"])

    def _target(self, name: LaterText) -> dict[str, Any]:
        return {"HostedZoneId": _CLOUDFRONT_ZONE, "DNSName": name, "EvaluateTargetHealth": False}


def _split_id(id: str) -> tuple[str, str]:
    zone, _, domain = id.partition("/")
    return zone, domain


def mark_record(step: str, deployment: str, tags: Mapping[str, str]) -> str:
    """Fill a deployment's id and the user's tags into a step of a record's `console` (pure)."""
    filled = "&".join((deployment, urlencode(tags))) if tags else deployment
    return _MARK_BY_HAND.sub(lambda mark: _quote(mark[1].replace(_BY_HAND, filled)), step)


def _heritage_name(domain: str) -> str:
    return f"_sre-agent.{domain}"


def _record_set(name: str, record_type: str, value: str) -> Any:
    return {"Name": name, "Type": record_type, "TTL": _TTL, "ResourceRecords": [{"Value": value}]}


def _change(aws: Aws, zone: str, *changes: tuple[str, Any]) -> None:
    batch: Any = {"Changes": [{"Action": action, "ResourceRecordSet": record} for action, record in changes]}
    aws.client("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)


def _find_heritage(aws: Aws, zone: str, domain: str) -> Any:
    return _find_records(aws, zone, _heritage_name(domain)).get("TXT")


def _find_records(aws: Aws, zone: str, domain: str) -> dict[str, Any]:
    """Find the records of a name by their types, the first of each. Route 53 lists all records of a name one after the other."""
    answer = or_none(
        lambda: aws.client("route53").list_resource_record_sets(
            HostedZoneId=zone, StartRecordName=domain, StartRecordType="A", MaxItems="100"
        ),
        ("NoSuchHostedZone",),
    )
    records = answer["ResourceRecordSets"] if answer else []
    return {record["Type"]: record for record in reversed(records) if record["Name"].rstrip(".") == domain}


def _list_heritages(aws: Aws, zone: str) -> list[tuple[str, dict[str, str]]]:
    pages = aws.client("route53").get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone)
    texts = [record for page in pages for record in page["ResourceRecordSets"] if record["Type"] == "TXT"]
    ours = [record for record in texts if record["Name"].startswith(_heritage_name(""))]
    return [(record["Name"].removeprefix(_heritage_name("")).rstrip("."), _parse_heritage(record)) for record in ours]


def _heritage(tags: dict[str, str]) -> str:
    return _quote(_HERITAGE + urlencode(tags))


def _quote(text: str) -> str:
    """Quote the value of a TXT record, in as many strings as it needs."""
    parts = (text[start : start + _LONGEST_STRING] for start in range(0, len(text), _LONGEST_STRING))
    return " ".join(f'"{part}"' for part in parts)


def _parse_heritage(record: Any) -> dict[str, str]:
    """Parse the tags of a heritage record; none if there is no such record, which then is not ours."""
    value = "".join(_STRING.findall(record["ResourceRecords"][0]["Value"])) if record else ""
    return dict(parse_qsl(value.removeprefix(_HERITAGE), keep_blank_values=True)) if value.startswith(_HERITAGE) else {}

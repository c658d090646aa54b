"""AWS::Route53::HealthCheck"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

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
    tags_of,
)
from sre_agent_deploy.resources.ec2_instance import Ec2Instance
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_GONE = ("NoSuchHealthCheck",)
_KIND: Any = "healthcheck"
# What UpdateHealthCheck does not take.
_AT_CREATION = ("Type", "RequestInterval")
# ListTagsForResources takes no more.
_TAGS_AT_ONCE = 10


@dataclass(frozen=True, kw_only=True)
class HealthCheck(Defaults):
    """Asks the front door from several places of the world whether it answers, and reports it to CloudWatch in us-east-1."""

    KIND: ClassVar[str] = "AWS::Route53::HealthCheck"
    # A second create call with the same caller reference and settings answers the first.
    TOKEN: ClassVar[bool] = True
    TAGS_LATER: ClassVar[bool] = True
    ID_FROM_AWS: ClassVar[bool] = True
    # An address can be changed, but neither added nor removed.
    FIXED: ClassVar[frozenset[str]] = frozenset({"check_type", "request_interval", "address"})
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"check_type", "request_interval"})
    NOT_COMPARED: ClassVar[Mapping[str, str]] = {
        "Regions": "from which places is asked; any three of them are enough to see whether it answers",
        "MeasureLatency": "it adds graphs for a price, and changes no answer",
    }
    EXEMPT: ClassVar[Mapping[str, str]] = {"disabled": "CloudFormation has no such property; a new one is not disabled"}
    # Without a machine it would report a failure that needs no action.
    DELETE_BEFORE: ClassVar[frozenset[str]] = frozenset({Ec2Instance.KIND})
    MOST_TAGS: ClassVar[int] = 10
    REGIONAL: ClassVar[bool] = False

    name: str
    domain: str = ""
    """The name that is resolved and asked; empty where the address is asked."""
    address: LaterText = ""
    port: int = 443
    resource_path: str
    enable_sni: bool = True
    failure_threshold: int = 3
    """How many answers in a row change the state."""
    request_interval: int = 30
    check_type: str = "HTTPS"
    inverted: bool = False
    disabled: bool = False

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        ours, others = list[Owned](), list[str]()
        for check in _list_checks(aws):
            mark = _read_reference(check["CallerReference"])
            if mark.get(DEPLOYMENT_TAG) == deployment:
                ours.append(Owned.tagged(check["Id"], mark))
            elif not mark:
                others.append(check["Id"])
        # One that was made by hand has another reference.
        tagged = (Owned.tagged(id, tags) for id, tags in _list_tags(aws, others) if tags.get(DEPLOYMENT_TAG) == deployment)
        return (*ours, *tagged)

    @classmethod
    def deployments(cls, aws: Aws) -> Iterable[str]:
        return (_read_reference(check["CallerReference"]).get(DEPLOYMENT_TAG, "") for check in _list_checks(aws))

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        check = _get_check(aws, id)
        if not check:
            return None
        shown = check["HealthCheckConfig"]
        seen = cls(
            name=name,
            domain=shown.get("FullyQualifiedDomainName", ""),
            address=shown.get("IPAddress", ""),
            port=shown.get("Port", 0),
            resource_path=shown.get("ResourcePath", ""),
            enable_sni=shown.get("EnableSNI", False),
            failure_threshold=shown.get("FailureThreshold", 0),
            request_interval=shown.get("RequestInterval", 0),
            check_type=shown["Type"],
            inverted=shown.get("Inverted", False),
            disabled=shown.get("Disabled", False),
        )
        answer: Any = or_none(lambda: aws.client("route53").list_tags_for_resource(ResourceType=_KIND, ResourceId=id), _GONE)
        tags = tags_of(answer["ResourceTagSet"]["Tags"]) if answer else {}
        # Until its tags are set, the reference alone says whose it is.
        owner = {DEPLOYMENT_TAG: of} if (of := _read_reference(check["CallerReference"]).get(DEPLOYMENT_TAG)) else {}
        return Found(id, seen, {"health_check_id": id}, {**owner, **tags})

    def create(self, aws: Aws, mark: Mark) -> str:
        digest = hashlib.sha256(mark.token.encode()).hexdigest()[:16]
        reference = "/".join((mark.deployment, mark.name, str(mark.generation), digest))
        answer = aws.client("route53").create_health_check(CallerReference=reference, HealthCheckConfig=self._settings())
        return answer["HealthCheck"]["Id"]

    def configure(self, aws: Aws, id: str) -> None:
        found = type(self).read(aws, id, self.name)
        if found is None or found.seen != self:
            changeable = {key: value for key, value in self._settings().items() if key not in _AT_CREATION}
            aws.client("route53").update_health_check(HealthCheckId=id, **changeable)

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        tags = {**_read_reference(_get_check(aws, id).get("CallerReference", "")), **changes.set}
        removed: Any = {"RemoveTagKeys": list(changes.remove)} if changes.remove else {}
        added: Any = {"AddTags": TagChanges(tags, ()).tag_list()} if tags else {}
        aws.client("route53").change_tags_for_resource(ResourceType=_KIND, ResourceId=id, **added, **removed)

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        or_none(lambda: aws.client("route53").delete_health_check(HealthCheckId=id), _GONE)

    def console(self) -> Steps:
        asked = f"IP address: {self.address}; Host name: {self.domain or 'none'}" if self.address else f"Domain name: {self.domain}"
        return (
            f"Route 53 > Health checks > Create health check; Name: {self.name}; Resource: Endpoint",
            f"Protocol: {self.check_type}; {asked}; Port: {self.port}; Path: {self.resource_path}",
            f"Advanced configuration > Request interval: {self.request_interval} seconds; Failure threshold: {self.failure_threshold}; "
            f"Enable SNI: {'Yes' if self.enable_sni else 'No'}; Invert health check status: {'Yes' if self.inverted else 'No'}; "
            f"Disabled: {'Yes' if self.disabled else 'No'}",
            "Create alarm: No (a step of its own makes it)",
        )

    def template(self) -> CfnResource:
        config = {key: value for key, value in self._settings(known=False).items() if key != "Disabled"}
        return cfn(self.KIND, {"health_check_id": "HealthCheckId"}, HealthCheckConfig=config)

    def _settings(self, *, known: bool = True) -> Any:
        settings = {
            "Type": self.check_type,
            "IPAddress": require_known(self.address) if known else self.address,
            "FullyQualifiedDomainName": self.domain,
            "Port": self.port,
            "ResourcePath": self.resource_path,
            "RequestInterval": self.request_interval,
            "FailureThreshold": self.failure_threshold,
            "EnableSNI": self.enable_sni,
            "Inverted": self.inverted,
            "Disabled": self.disabled,
        }
        return {key: value for key, value in settings.items() if value != ""}

    def _refused(self) -> Problem:
        return Problem(
            code="ROUTE53-CHECK-REFUSED",
            what=f"Route 53 does not accept the health check of {self.domain or self.address}.",
            why="It checks neither private addresses nor names that are not valid in DNS.",
            do=("Correct deployment.domain_name, or set monitoring.outside_check to false.", "Run the same command again."),
            aws_docs="https://docs.aws.amazon.com/Route53/latest/APIReference/API_HealthCheckConfig.html",
        )

    FAILURES: ClassVar[Failures] = {
        ("CreateHealthCheck", "TooManyHealthChecks"): lambda check: Problem(
            code="ROUTE53-CHECK-QUOTA",
            what=f"The health check of {check.domain or check.address} was not created.",
            why="This account has as many health checks as its quota allows (200, unless raised).",
            do=("Delete health checks that nobody needs (Route 53 > Health checks).", "Run the same command again."),
            aws_docs="https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html",
        ),
        ("CreateHealthCheck", "InvalidInput"): _refused,
        ("UpdateHealthCheck", "InvalidInput"): _refused,
        ("DeleteHealthCheck", "HealthCheckInUse"): lambda _: Problem(
            code="ROUTE53-CHECK-USED",
            what="The health check was not deleted.",
            why="A DNS record or another health check that was made by hand uses it.",
            do=("Remove it there (Route 53 > Health checks shows where).", "Run the same command again."),
        ),
    }


def read_status(aws: Aws, id: str) -> tuple[int, int] | None:
    """Count the places that got an answer last time, and all that asked; None where the check does not exist."""
    answer: Any = or_none(lambda: aws.client("route53").get_health_check_status(HealthCheckId=id), _GONE)
    reports = [seen.get("StatusReport", {}).get("Status", "") for seen in (answer or {}).get("HealthCheckObservations", ())]
    return (sum(report.startswith("Success") for report in reports), len(reports)) if answer else None


def _get_check(aws: Aws, id: str) -> dict[str, Any]:
    answer: Any = or_none(lambda: aws.client("route53").get_health_check(HealthCheckId=id), _GONE)
    return answer["HealthCheck"] if answer else {}


def _list_checks(aws: Aws) -> Iterator[Any]:
    pages = aws.client("route53").get_paginator("list_health_checks").paginate()
    return (check for page in pages for check in page["HealthChecks"])


def _list_tags(aws: Aws, ids: list[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Read the tags of these checks, as many at once as AWS allows. If one of them is gone AWS answers for none, and each is read alone."""
    for some in (ids[start : start + _TAGS_AT_ONCE] for start in range(0, len(ids), _TAGS_AT_ONCE)):
        answer: Any = or_none(lambda: aws.client("route53").list_tags_for_resources(ResourceType=_KIND, ResourceIds=some), _GONE)  # noqa: B023  # called at once
        if answer:
            yield from ((found["ResourceId"], tags_of(found["Tags"])) for found in answer["ResourceTagSets"])
        elif len(some) > 1:
            for id in some:
                yield from _list_tags(aws, [id])


def _read_reference(reference: str) -> dict[str, str]:
    """Read the mark in a caller reference, which can't be changed; nothing if another program has chosen it."""
    parts = reference.split("/")
    return dict(zip((DEPLOYMENT_TAG, NAME_TAG, GENERATION_TAG), parts, strict=False)) if len(parts) == 4 else {}

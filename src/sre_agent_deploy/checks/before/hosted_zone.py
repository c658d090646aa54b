"""The configured Route 53 hosted zone exists, and is the one that the domain's record belongs into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.checks.before.account import Account, ask
from sre_agent_deploy.checks.check import Verdict
from sre_core.problem import Problem

_ABSENT = ("NoSuchHostedZone", "InvalidInput")


@dataclass(frozen=True)
class Zone:
    """A hosted zone as Route 53 shows it; `name` is empty where there is none of that id."""

    hosted_zone_id: str
    domain: str
    name: str
    private: bool = False

    def holds(self) -> bool:
        """Whether the domain is the zone's own name or lies below it."""
        domain, name = self.domain.rstrip(".").lower(), self.name.rstrip(".").lower()
        return domain == name or domain.endswith(f".{name}")


class HostedZoneFits:
    """The DNS record can be made where the world will look for it."""

    id: ClassVar[str] = "dns.hosted_zone"
    proves: ClassVar[str] = "the hosted zone exists, is public, and is the domain's"
    requirements: ClassVar[tuple[str, ...]] = ("2.1", "4.1")
    required: ClassVar[bool] = True

    def probe(self, world: Account) -> Zone | Problem:
        chosen = world.config.deployment
        route53 = world.aws.route53
        answer = ask(lambda: or_none(lambda: route53.get_hosted_zone(Id=chosen.hosted_zone_id), _ABSENT), "route53:GetHostedZone")
        if isinstance(answer, Problem):
            return answer
        if answer is None:
            return Zone(chosen.hosted_zone_id, chosen.domain_name, "")
        zone = answer["HostedZone"]
        return Zone(chosen.hosted_zone_id, chosen.domain_name, zone["Name"], bool(zone.get("Config", {}).get("PrivateZone")))

    def judge(self, facts: Zone) -> Verdict:
        if not facts.name:
            return Verdict(False, f"there is no hosted zone {facts.hosted_zone_id}", _absent(facts))
        if not facts.holds():
            return Verdict(False, f"hosted zone {facts.hosted_zone_id} is {facts.name}", _other_domain(facts))
        if facts.private:
            return Verdict(False, f"hosted zone {facts.hosted_zone_id} is private", _private(facts))
        return Verdict(True, f"hosted zone {facts.hosted_zone_id} ({facts.name.rstrip('.')}) is the domain's")


def _absent(facts: Zone) -> Problem:
    return Problem(
        code="DNS-ZONE-NOT-FOUND",
        what=f"This account has no hosted zone {facts.hosted_zone_id}.",
        why="The id is misspelled, or the zone is in another account.",
        do=(
            f"Take the id of {facts.domain}'s zone: `aws route53 list-hosted-zones --query 'HostedZones[].[Id,Name]'`.",
            "Or leave deployment.hosted_zone_id empty and make the record where the domain's DNS is.",
        ),
    )


def _other_domain(facts: Zone) -> Problem:
    return Problem(
        code="DNS-ZONE-OTHER-DOMAIN",
        what=f"Hosted zone {facts.hosted_zone_id} is {facts.name.rstrip('.')}, and {facts.domain} does not lie in it.",
        why="A zone answers for its own name and what is below it; Route 53 refuses any other record.",
        do=("Correct deployment.hosted_zone_id or deployment.domain_name, so that the domain ends in the zone's name.",),
        aws_docs="https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resource-record-sets-values-shared.html",
    )


def _private(facts: Zone) -> Problem:
    return Problem(
        code="DNS-ZONE-PRIVATE",
        what=f"Hosted zone {facts.hosted_zone_id} is private: {facts.domain} would be known inside its VPCs only.",
        why="The gateway reaches the backends by this name from outside of your VPCs, and so do the assistant's users.",
        do=(
            "Set deployment.hosted_zone_id to the public zone of the same name.",
            "Or leave it empty and make a public record yourself.",
        ),
        aws_docs="https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/hosted-zones-private.html",
    )

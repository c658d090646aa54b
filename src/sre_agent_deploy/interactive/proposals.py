"""Propose answers from what an AWS account has, the environment and the template (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sre_agent_deploy.config.template import LOCAL, PRODUCTION
from sre_agent_deploy.interactive.answers import find_mode
from sre_agent_deploy.interactive.question import Answers, Question


@dataclass(frozen=True)
class Choice:
    """A value that can be chosen by its number, with a description."""

    value: str
    about: str = ""


@dataclass(frozen=True)
class Vpc:
    id: str
    about: str
    is_default: bool


@dataclass(frozen=True)
class Subnet:
    id: str
    vpc_id: str
    about: str
    is_public: bool


@dataclass(frozen=True)
class Zone:
    id: str
    domain: str


@dataclass(frozen=True)
class Workspace:
    """A workspace of Amazon Managed Service for Prometheus."""

    url: str
    alias: str


@dataclass(frozen=True)
class AccountContents:
    """The resources that were found in time; empty without credentials."""

    account_id: str = ""
    vpcs: tuple[Vpc, ...] = ()
    subnets: tuple[Subnet, ...] = ()
    zones: tuple[Zone, ...] = ()
    key_pairs: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    log_groups: tuple[str, ...] = ()
    workspaces: tuple[Workspace, ...] = ()

    def zone_of(self, domain: str) -> str:
        """Find the hosted zone of a domain; of several, the closest."""
        above = [zone for zone in self.zones if domain == zone.domain or domain.endswith(f".{zone.domain}")]
        return max(above, key=lambda zone: len(zone.domain)).id if above else ""


NOTHING = AccountContents()


def list_choices(question: Question, answers: Answers, account: AccountContents) -> tuple[Choice, ...]:
    """List what can be chosen by number: the values that the setting allows, or those that the account has."""
    if question.choices:
        return tuple(map(Choice, question.choices))
    match question.key:
        case "aws.vpc_id":
            return tuple(Choice(vpc.id, vpc.about) for vpc in account.vpcs)
        case "aws.subnet_id":
            # The instance is reached from the internet, so a subnet without public addresses is no choice.
            return tuple(Choice(net.id, net.about) for net in account.subnets if net.is_public and net.vpc_id == answers.get("aws.vpc_id"))
        case "deployment.hosted_zone_id":
            return tuple(Choice(zone.id, zone.domain) for zone in account.zones)
        case "deployment.key_name":
            return tuple(map(Choice, account.key_pairs))
    return _list_source_choices(question.key, account)


def _list_source_choices(key: str, account: AccountContents) -> tuple[Choice, ...]:
    """List what the account has that a service could answer from."""
    match key:
        case "services.kubernetes":
            return tuple(Choice(f"eks:{name}", "a cluster of Amazon EKS") for name in account.clusters)
        case "services.logs":
            pods = (Choice(f"eks:{name}", "the logs of its pods") for name in account.clusters)
            return (*pods, *(Choice(f"cloudwatch:{name}", "a log group") for name in account.log_groups))
        case "services.metrics" if account.account_id:
            workspaces = (Choice(f"amp:{each.url}", each.alias) for each in account.workspaces)
            return (*workspaces, Choice("cloudwatch", "load balancers, Lambda, API Gateway, Container Insights"))
    return ()


def propose(question: Question, answers: Answers, account: AccountContents, known: Mapping[str, str]) -> str:
    """Propose the answer for Enter: the earlier answer, else one from the account, the environment, the template or the default."""
    if question.key in answers:
        return answers[question.key]
    return _propose_from_account(question.key, answers, account, known) or _propose_from_template(question, answers, known)


def _propose_from_account(key: str, answers: Answers, account: AccountContents, known: Mapping[str, str]) -> str:
    match key:
        case "aws.account_id":
            return account.account_id
        case "aws.vpc_id":
            # Empty means the default VPC; in a region without one, a VPC must be named.
            return account.vpcs[0].id if account.vpcs and not any(vpc.is_default for vpc in account.vpcs) else ""
        case "deployment.domain_name":
            return f"sre.{account.zones[0].domain}" if account.zones and "SRE_DOMAIN_NAME" not in known else ""
        case "deployment.hosted_zone_id":
            return account.zone_of(answers.get("deployment.domain_name", ""))
        case "aws.subnet_id":
            usable = [net.id for net in account.subnets if net.is_public and net.vpc_id == answers.get("aws.vpc_id")]
            return usable[0] if usable else ""
    return ""


def _propose_from_template(question: Question, answers: Answers, known: Mapping[str, str]) -> str:
    """Propose the template's value, or that of the variable it names. The example behind the variable is not proposed."""
    text = (LOCAL if find_mode(answers) == "local" else PRODUCTION).get(question.key, question.usual)
    if not text.startswith("${"):
        return text
    return known.get(text.strip("${}").partition(":-")[0], "") or question.usual

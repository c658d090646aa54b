"""Propose answers from what an AWS account has, the environment and the template.

The account is read while the first questions are answered. What is too slow or not allowed is left out.
"""

from __future__ import annotations

import configparser
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sre_agent_deploy.account import DEPLOYMENT_ID_PATTERN
from sre_agent_deploy.aws import Aws, Endpoint
from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.config.aws import endpoint_faults
from sre_agent_deploy.config.template import LOCAL, PRODUCTION
from sre_agent_deploy.interactive.answers import Answers, Question, find_mode
from sre_agent_deploy.progress import Progress, RetryLimits
from sre_core.problem import Problem

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import SubnetTypeDef, VpcTypeDef


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


LONGEST_WAIT = 4.0
# A longer list is no help: then the name is typed.
_MOST_OFFERED = 50
_OWN_LOGS = re.compile(f"{DEPLOYMENT_ID_PATTERN}-")
ONCE = Progress(RetryLimits(throttled=timedelta(0), transient=timedelta(0), propagating=timedelta(0)))


def find_default_region(environ: Mapping[str, str]) -> str:
    """Find the region of the environment or the profile; "" if neither has one."""
    if named := environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION"):
        return named
    profile = environ.get("AWS_PROFILE", "default")
    written = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        written.read(Path(environ.get("AWS_CONFIG_FILE", "~/.aws/config")).expanduser(), encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError, RuntimeError):
        return ""
    section = "default" if profile == "default" else f"profile {profile}"
    return written.get(section, "region", fallback="")


def build_aws(region: str, environ: Mapping[str, str]) -> Aws:
    """Build the client of the AWS that a deployment from this environment would reach."""
    url = environ.get("AWS_ENDPOINT_URL", "")
    return Aws(region=region, endpoint=Endpoint(url, environ.get("AWS_CA_BUNDLE", "")) if url else None)


class Discovery:
    """The discovery of one region of the account, which runs in the background."""

    def __init__(self, region: str, environ: Mapping[str, str]) -> None:
        self._aws = build_aws(region, environ)
        self._found = NOTHING
        self._until = time.monotonic() + LONGEST_WAIT
        # A daemon thread: a network that drops every packet must not keep the program from ending.
        self._thread = threading.Thread(target=self._discover, daemon=True, name="discovery")
        self._thread.start()

    def wait(self) -> AccountContents:
        """Wait until everything is known, at most LONGEST_WAIT after the start, and return what is known by then."""
        self._thread.join(max(0.0, self._until - time.monotonic()))
        return self._found

    def _discover(self) -> None:
        # An invalid endpoint is reported by the commands that use it.
        if self._aws.endpoint and any(endpoint_faults(self._aws.endpoint.url)):
            return
        account_id = _try_once(lambda: self._aws.account_id)
        if not account_id:
            return
        self._found = replace(self._found, account_id=account_id)
        self._found = replace(self._found, vpcs=_try_once(self._vpcs) or ())
        self._found = replace(self._found, subnets=_try_once(self._subnets) or ())
        self._found = replace(self._found, zones=_try_once(self._zones) or ())
        self._found = replace(self._found, key_pairs=_try_once(self._key_pairs) or ())
        self._found = replace(self._found, clusters=_try_once(self._clusters) or ())
        self._found = replace(self._found, log_groups=_try_once(self._log_groups) or ())
        self._found = replace(self._found, workspaces=_try_once(self._workspaces) or ())

    def _vpcs(self) -> tuple[Vpc, ...]:
        return tuple(map(_describe_vpc, self._aws.client("ec2").describe_vpcs()["Vpcs"]))

    def _subnets(self) -> tuple[Subnet, ...]:
        return tuple(map(_describe_subnet, self._aws.client("ec2").describe_subnets()["Subnets"]))

    def _zones(self) -> tuple[Zone, ...]:
        zones = self._aws.client("route53").list_hosted_zones()["HostedZones"]
        public = [zone for zone in zones if not zone.get("Config", {}).get("PrivateZone")]
        return tuple(Zone(zone["Id"].removeprefix("/hostedzone/"), zone["Name"].rstrip(".")) for zone in public)

    def _key_pairs(self) -> tuple[str, ...]:
        return tuple(pair["KeyName"] for pair in self._aws.client("ec2").describe_key_pairs()["KeyPairs"])

    def _clusters(self) -> tuple[str, ...]:
        return tuple(self._aws.client("eks").list_clusters(maxResults=_MOST_OFFERED)["clusters"])

    def _log_groups(self) -> tuple[str, ...]:
        groups = self._aws.client("logs").describe_log_groups(limit=_MOST_OFFERED)["logGroups"]
        # Those of deployments hold the assistant's own logs.
        return tuple(name for group in groups if not _OWN_LOGS.match(name := group["logGroupName"]))

    def _workspaces(self) -> tuple[Workspace, ...]:
        found = self._aws.client("amp").list_workspaces(maxResults=_MOST_OFFERED)["workspaces"]
        domain = "amazonaws.com.cn" if self._aws.partition == "aws-cn" else "amazonaws.com"
        host = f"https://aps-workspaces.{self._aws.region}.{domain}"
        return tuple(Workspace(f"{host}/workspaces/{each['workspaceId']}", each.get("alias", "")) for each in found)


def _try_once[T](call: Callable[[], T]) -> T | None:
    """Call AWS once. It returns None for any failure: a missing proposal is no error of the user."""
    answer = attempt(call, progress=ONCE)
    return None if isinstance(answer, Problem | Lost) else answer


def _describe_vpc(vpc: VpcTypeDef) -> Vpc:
    is_default = vpc.get("IsDefault", False)
    parts = (vpc["CidrBlock"], "the default VPC" if is_default else "", _find_name(vpc))
    return Vpc(vpc["VpcId"], ", ".join(filter(None, parts)), is_default)


def _describe_subnet(subnet: SubnetTypeDef) -> Subnet:
    parts = (subnet["AvailabilityZone"], subnet["CidrBlock"], _find_name(subnet))
    return Subnet(subnet["SubnetId"], subnet["VpcId"], ", ".join(filter(None, parts)), subnet.get("MapPublicIpOnLaunch", False))


def _find_name(thing: Any) -> str:
    return next((tag["Value"] for tag in thing.get("Tags", ()) if tag["Key"] == "Name"), "")

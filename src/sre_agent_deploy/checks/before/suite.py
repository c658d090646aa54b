"""START HERE: everything that is looked at before anything is touched, and what of it stops a deployment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.checks.before.account import Account
from sre_agent_deploy.checks.before.bucket import BucketUsable
from sre_agent_deploy.checks.before.certificate import every_aspect
from sre_agent_deploy.checks.before.credentials import CredentialsHold
from sre_agent_deploy.checks.before.domain import DomainKnown
from sre_agent_deploy.checks.before.elastic_ips import ElasticIpAvailable
from sre_agent_deploy.checks.before.hosted_zone import HostedZoneFits
from sre_agent_deploy.checks.before.instance_parts import ImageThere, KeyPairThere
from sre_agent_deploy.checks.before.instance_type import InstanceTypeOffered
from sre_agent_deploy.checks.before.limits import InstancesWithinLimit
from sre_agent_deploy.checks.before.network import NetworkThere
from sre_agent_deploy.checks.before.region import RegionFits
from sre_agent_deploy.checks.before.services import BUDGETS, every_service
from sre_agent_deploy.checks.check import Check, Finding, run
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.progress.events import Observer, unobserved


def preflight(config: Config, aws: Aws, now: datetime, observe: Observer = unobserved) -> tuple[Finding, ...]:
    """A finding for each check. Reads only.

    Whatever an account says that is not the configured one, or that does not know us, would mislead: then only what
    needs no account is judged besides the credentials.
    """
    world = Account(config, aws, now)
    first = run((CredentialsHold(), *of_files(config), *of_dns(config, aws)), world, observe)
    return first if first[0].status != "passed" else (*first, *run(of_account(config), world, observe))


def of_files(config: Config) -> tuple[Check[Account, Any], ...]:
    """What can be judged without AWS."""
    return every_aspect() if config.tls.source == "files" else ()


def of_dns(config: Config, aws: Aws) -> tuple[Check[Account, Any], ...]:
    """Public DNS is asked about Amazon's AWS only: elsewhere the domain may mean something of that place alone."""
    return (DomainKnown(),) if config.deployment.domain_name and aws.endpoint is None else ()


def of_account(config: Config) -> tuple[Check[Account, Any], ...]:
    """What the account must offer."""
    chosen = config.deployment
    named: tuple[Check[Account, Any], ...] = (
        *((KeyPairThere(),) if chosen.key_name else ()),
        *((ImageThere(),) if chosen.ami_id else ()),
        *((HostedZoneFits(),) if chosen.hosted_zone_id else ()),
        *((InstancesWithinLimit(),) if config.limits.instances else ()),
        *((BUDGETS,) if config.limits.monthly_usd else ()),
    )
    return (RegionFits(), *every_service(), NetworkThere(), InstanceTypeOffered(), BucketUsable(), ElasticIpAvailable(), *named)


def stops(findings: Sequence[Finding]) -> bool:
    """Whether a required check failed. One that could not look only warns: the deployment itself will tell."""
    return any(finding.required and finding.status == "failed" for finding in findings)

"""START HERE: all checks in order: preflight, which can stop a deployment, and verification, as its report has them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.checks import Check, Finding, run_checks
from sre_agent_deploy.checks.preflight import Context
from sre_agent_deploy.checks.preflight.account import BUDGETS, CredentialsHold, ModelUsable, RegionFits, service_checks
from sre_agent_deploy.checks.preflight.bucket import BackupsBucketUsable, BucketProtected, BucketUsable
from sre_agent_deploy.checks.preflight.domain import DomainKnown, HostedZoneFits, ParentResolves, certificate_checks
from sre_agent_deploy.checks.preflight.encryption_key import KeyUsable, list_keys
from sre_agent_deploy.checks.preflight.instance import (
    ElasticIpAvailable,
    ImageThere,
    InstancesWithinLimit,
    InstanceTypeOffered,
    KeyPairThere,
    NetworkThere,
)
from sre_agent_deploy.checks.preflight.network import RuntimeNetworkUsable, SecurityGroupUsable
from sre_agent_deploy.checks.preflight.roles import BoundaryFits, RoleFits
from sre_agent_deploy.checks.preflight.sources import ClusterEnterable, source_checks
from sre_agent_deploy.checks.preflight.trail import TrailUsable
from sre_agent_deploy.checks.preflight.user_pool import LoginCertificateFits, PoolProtected, PoolUsable
from sre_agent_deploy.checks.verification.access import ExpiredTokenRefused, TokenIssued, refusal_checks
from sre_agent_deploy.checks.verification.endpoint_client import Endpoints
from sre_agent_deploy.checks.verification.front_door import (
    AnswersOverIpv6,
    CertificateLasts,
    LoginNameResolves,
    NameResolves,
    PlainHttpRefused,
)
from sre_agent_deploy.checks.verification.services import HopsFromAssistant, InvestigationAnswers, ModelAnswers, health_checks
from sre_agent_deploy.checks.verification.tools import ToolsCalled, ToolsListed
from sre_agent_deploy.checks.verification.traces import TracesAccepted, TracesArrive
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.config.sources import list_entered_clusters
from sre_agent_deploy.names import has_custom_domain
from sre_agent_deploy.progress import Observer, ignore_event


def run_preflight(config: Config, aws: Aws, now: datetime, observe: Observer = ignore_event) -> tuple[Finding, ...]:
    """Run every preflight check and return its finding. Reads only.

    With wrong credentials, or those of another account, every answer would mislead: then only what needs no account is checked.
    """
    world = Context(config, aws, now)
    first = run_checks((CredentialsHold(), *file_checks(config), *source_checks(config), *dns_checks(config, aws)), world, observe)
    return first if first[0].status != "passed" else (*first, *run_checks(account_checks(config), world, observe))


def file_checks(config: Config) -> tuple[Check[Context, Any], ...]:
    """List the checks that need no AWS."""
    return certificate_checks() if config.tls.source == "files" else ()


def dns_checks(config: Config, aws: Aws) -> tuple[Check[Context, Any], ...]:
    """List the checks of public DNS: for Amazon's AWS only, because elsewhere the domain may be a private one."""
    if aws.endpoint is not None:
        return ()
    return (*((DomainKnown(),) if config.deployment.domain_name else ()), *((ParentResolves(),) if has_custom_domain(config) else ()))


def account_checks(config: Config) -> tuple[Check[Context, Any], ...]:
    """List the checks of the account and region."""
    chosen = config.deployment
    named: tuple[Check[Context, Any], ...] = (
        *((SecurityGroupUsable(),) if config.aws.security_group_id else ()),
        *((RuntimeNetworkUsable(),) if config.assistant.on_runtime and config.assistant.subnet_ids else ()),
        *((KeyPairThere(),) if chosen.key_name else ()),
        *((ImageThere(),) if chosen.ami_id else ()),
        *((HostedZoneFits(),) if chosen.hosted_zone_id else ()),
        *((LoginCertificateFits(),) if has_custom_domain(config) else ()),
        *((InstancesWithinLimit(),) if config.limits.instances else ()),
        *((BUDGETS,) if config.limits.monthly_usd else ()),
        *((BucketProtected(),) if config.gateway.s3_bucket else ()),
        *((BackupsBucketUsable(),) if config.backups.bucket else ()),
        *((RoleFits(),) if config.aws.role_name else ()),
        *((TrailUsable(),) if config.monitoring.names_trail else ()),
        *((BoundaryFits(),) if config.aws.permissions_boundary else ()),
        *((PoolUsable(), PoolProtected()) if config.credentials.user_pool_id else ()),
        *(KeyUsable(setting) for setting in list_keys(config)),
        *(ClusterEnterable(cluster) for cluster in list_entered_clusters(config.services.live())),
        *(ModelUsable(model) for model in config.assistant.models),
    )
    return (RegionFits(), *service_checks(), NetworkThere(), InstanceTypeOffered(), BucketUsable(), ElasticIpAvailable(), *named)


def stops_deployment(findings: Sequence[Finding]) -> bool:
    """Say if a required check failed. One that could not look only warns: the deployment itself reports the failure."""
    return any(finding.required and finding.status == "failed" for finding in findings)


def verification_checks(
    *, on_runtime: bool = False, custom_domain: bool = False, traced: bool = False, in_xray: bool = False, ipv6: bool = False
) -> tuple[Check[Endpoints, Any], ...]:
    """List every verification check. A deployment is complete only when every required one passes (Property 4).

    `on_runtime` leaves out what does not apply where the assistant runs on AgentCore Runtime: its health path, which can't be
    called there.
    """
    return (
        NameResolves(),
        *((AnswersOverIpv6(),) if ipv6 else ()),
        *health_checks(on_runtime=on_runtime),
        PlainHttpRefused(),
        CertificateLasts(),
        *((LoginNameResolves(),) if custom_domain else ()),
        TokenIssued("gateway_client"),
        TokenIssued("caller_client"),
        *refusal_checks(),
        ExpiredTokenRefused(),
        ToolsListed(),
        ToolsCalled(),
        HopsFromAssistant(),
        InvestigationAnswers(),
        ModelAnswers(),
        *((TracesAccepted(),) if traced else ()),
        *((TracesArrive(),) if in_xray else ()),
    )

"""Rules that concern more than one section: account and region, limits, budget, certificate and tags."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from urllib.parse import urlencode

from sre_agent_deploy.config import Fault, FieldPath, Mode, format_path, ignored, required
from sre_agent_deploy.config.aws import AWSConfig, arn_faults
from sre_agent_deploy.config.credentials import CredentialConfig
from sre_agent_deploy.config.deployment import DeploymentConfig, TLSConfig
from sre_agent_deploy.config.environment import SecretReference
from sre_agent_deploy.config.field_syntax import AVAILABILITY_ZONE
from sre_agent_deploy.config.gateway import GatewayConfig
from sre_agent_deploy.config.operations import XRAY, AlertsConfig, LimitsConfig, MonitoringConfig
from sre_core.regions import BUDGETS_IN_USD, HEALTH_CHECKS_IN, partition_of

MOST_TAGS = 40  # AWS allows 50; ours and Amazon's own need the rest
# https://docs.aws.amazon.com/Route53/latest/APIReference/API_ResourceRecord.html
_LONGEST_TEXT, _LONGEST_STRING = 4000, 255
# What a DNS record's mark has besides the user's tags and the location of the state.
_OWN_MARK = 400


def account_faults(aws: AWSConfig, gateway: GatewayConfig, credentials: CredentialConfig, monitoring: MonitoringConfig) -> Iterator[Fault]:
    """Yield a fault for each ARN and ID of another account or region than the deployment's."""
    yield from arn_faults(("gateway", "provider_arn"), gateway.provider_arn, account_id=aws.account_id, region=aws.region)
    yield from arn_faults(("monitoring", "kms_key_arn"), monitoring.kms_key_arn, account_id=aws.account_id, region=aws.region)
    yield from arn_faults(("gateway", "kms_key_arn"), gateway.kms_key_arn, account_id=aws.account_id, region=aws.region)
    certificate = ("credentials", "custom_domain_certificate")
    yield from arn_faults(certificate, credentials.custom_domain_certificate, account_id=aws.account_id, region="")
    reference = SecretReference.parse(credentials.client_secret)
    if reference and reference.store == "aws-secretsmanager":
        yield from _secret_arn_faults(reference, aws.account_id, aws.region)
    pool_region = credentials.user_pool_id.rpartition("_")[0]
    if pool_region and pool_region != aws.region:
        yield Fault(
            code="CONFIG-MISMATCH",
            path=("credentials", "user_pool_id"),
            what="credentials.user_pool_id is in another region than aws.region.",
            why="A user pool's ID begins with its region, and everything of one deployment is in one region.",
            do=("Correct the one that is wrong, then check: sre-agent-deploy validate",),
            correction=f"{aws.region}_{credentials.user_pool_id.rpartition('_')[2]}",
        )


def _secret_arn_faults(reference: SecretReference, account_id: str, region: str) -> Iterator[Fault]:
    for fault in arn_faults(("credentials", "client_secret"), reference.name, account_id=account_id, region=region):
        yield replace(fault, correction=f"{reference.store}:{fault.correction}")


def network_faults(aws: AWSConfig, deployment: DeploymentConfig) -> Iterator[Fault]:
    """Yield a fault for each Availability Zone of another region, and for places outside of a network that is created."""
    zones: list[tuple[FieldPath, str]] = [(("aws", "availability_zone"), aws.availability_zone)]
    for number, fallback in enumerate(deployment.fallbacks):
        zones.append((("deployment", "fallbacks", number, "availability_zone"), fallback.availability_zone))
        if aws.creates_network and fallback.subnet_id:
            named: FieldPath = ("deployment", "fallbacks", number, "subnet_id")
            yield Fault(
                code="CONFIG-MISMATCH",
                path=named,
                what=f"{format_path(named)} names a subnet of another VPC than the one that is created.",
                why="aws.network: create makes a subnet in each Availability Zone that a fallback names.",
                do=(f"Name the zone instead, like this: availability_zone: {aws.region}b",),
            )
    if aws.ipv6 and not (deployment.hosted_zone_id and deployment.domain_name):
        yield _unnamed_ipv6()
    if aws.security_group_id:
        yield from (
            fault.under("deployment") for fault in ignored(deployment, ("ssh_cidrs",), "aws.security_group_id names a security group")
        )
    for path, zone in zones:
        # What is no name of a zone has its own fault.
        if re.fullmatch(AVAILABILITY_ZONE.pattern, zone) and not zone.startswith(aws.region):
            yield Fault(
                code="CONFIG-MISMATCH",
                path=path,
                what=f"{format_path(path)} is in another region than aws.region.",
                why="Everything of one deployment is in one region.",
                do=("Correct the one that is wrong, then check: sre-agent-deploy validate",),
                correction=f"{aws.region}b",
            )


def _unnamed_ipv6() -> Fault:
    return Fault(
        code="CONFIG-IPV6",
        path=("aws", "ipv6"),
        what="aws.ipv6 is set, and nothing names the machine's IPv6 address.",
        why="An IPv6 address can't move to another machine as an Elastic IP does: each update changes it. Only a DNS record that changes "
        "with it can be relied on, and the deployment makes one in deployment.hosted_zone_id.",
        do=(
            "Set deployment.hosted_zone_id and deployment.domain_name.",
            "Or remove it: an AAAA record of your own would be wrong after an update.",
        ),
        warning=True,
    )


def instance_type_faults(limits: LimitsConfig, deployment: DeploymentConfig) -> Iterator[Fault]:
    """Yield a fault for each instance type that is not among the allowed ones."""
    allowed = limits.instance_types
    chosen: list[tuple[FieldPath, str]] = [(("deployment", "instance_type"), deployment.instance_type)]
    chosen += [
        (("deployment", "fallbacks", number, "instance_type"), each.instance_type) for number, each in enumerate(deployment.fallbacks)
    ]
    for path in (path for path, type_ in chosen if allowed and type_ and type_ not in allowed):
        yield Fault(
            code="CONFIG-LIMIT",
            path=path,
            what=f"{format_path(path)} is not in limits.instance_types.",
            why=f"The allowed types are {', '.join(allowed)}.",
            do=(f"Use {allowed[0]}.", "Or ask the owner of the limit to add the type to limits.instance_types."),
            correction=allowed[0],
        )


def budget_faults(limits: LimitsConfig, alerts: AlertsConfig, region: str) -> Iterator[Fault]:
    """Yield a fault where a budget has no recipient, or the region no AWS Budgets in US dollars."""
    if limits.monthly_usd is None:
        return
    if not alerts.email:
        why = "limits.monthly_usd is set, and AWS Budgets needs a recipient for its notifications."
        yield required("email", "team@example.com", why).under("alerts")
    if partition_of(region) not in BUDGETS_IN_USD:
        yield Fault(
            code="CONFIG-MONTHLY-USD",
            path=("limits", "monthly_usd"),
            what=f"limits.monthly_usd can't be used in {region}.",
            why="GovCloud and the isolated partitions have no AWS Budgets, and China is not billed in US dollars.",
            do=("Leave it empty, and watch the costs in AWS Cost Explorer of the account that pays.",),
            correction='""',
        )


def alert_faults(limits: LimitsConfig, alerts: AlertsConfig, monitored: bool) -> Iterator[Fault]:
    """Yield a fault for a recipient to whom nothing is sent: there is neither monitoring nor, for an e-mail address, a budget."""
    if monitored or not (alerts.url or (alerts.email and limits.monthly_usd is None)):
        return
    field = "url" if alerts.url else "email"
    budget = ("Or set limits.monthly_usd: then the mails of a budget are sent there.",) if field == "email" else ()
    yield Fault(
        code="CONFIG-ALERTS-UNUSED",
        path=("alerts", field),
        what=f"Nothing is sent to alerts.{field}.",
        why="There are no alarms: monitoring.enabled is never, or it is auto and this is local mode.",
        do=("Set monitoring.enabled to always: then alarms are sent there.", *budget, f"Or leave alerts.{field} empty."),
    )


def outside_check_faults(monitoring: MonitoringConfig, region: str, monitored: bool) -> Iterator[Fault]:
    """Yield a fault for a question from outside of which no alarm could be sent: in another region, or without monitoring."""
    if not monitoring.outside_check or (monitored and region == HEALTH_CHECKS_IN):
        return
    elsewhere = (
        f"Route 53 reports its health checks in {HEALTH_CHECKS_IN} alone, and an alarm sends only to a topic of its own region. "
        f"The topic of this deployment is in {region}."
    )
    unwatched = "There are no alarms: monitoring.enabled is never, or it is auto and this is local mode or there is no recipient."
    yield Fault(
        code="CONFIG-OUTSIDE-CHECK",
        path=("monitoring", "outside_check"),
        what="monitoring.outside_check has no alarm to raise.",
        why=elsewhere if monitored else unwatched,
        do=(
            "Set it to false.",
            "Let a program outside of this deployment check https://DOMAIN/ping instead."
            if monitored
            else "Or set alerts.email, or monitoring.enabled to always.",
        ),
        correction="false",
    )


def trace_faults(monitoring: MonitoringConfig, monitored: bool) -> Iterator[Fault]:
    """Yield a fault for traces that no agent would send to X-Ray."""
    if monitoring.traces != XRAY or monitored:
        return
    yield Fault(
        code="CONFIG-TRACES",
        path=("monitoring", "traces"),
        what="monitoring.traces is xray, and the deployment is not monitored.",
        why="The CloudWatch agent sends them to X-Ray. It is installed where monitoring.enabled is always, or alarms have a recipient.",
        do=(
            "Set monitoring.enabled to always, or alerts.email.",
            "Or write the address of a receiver: https://collector.example.com/v1/traces",
        ),
    )


def trail_faults(monitoring: MonitoringConfig, monitored: bool) -> Iterator[Fault]:
    """Yield a warning for a trail whose refusals no alarm would count."""
    if not monitoring.cloudtrail or monitored:
        return
    yield Fault(
        code="CONFIG-NO-EFFECT",
        path=("monitoring", "cloudtrail"),
        what="monitoring.cloudtrail has no effect.",
        why="The deployment is not monitored: monitoring.enabled is never, or it is auto and this is local mode or there is no recipient.",
        do=("Set alerts.email, or monitoring.enabled to always.", "Or remove it."),
        warning=True,
    )


def certificate_faults(tls: TLSConfig, deployment: DeploymentConfig, mode: Mode) -> Iterator[Fault]:
    """Yield a fault for a certificate source that this mode can't use, or that lacks its files."""
    if tls.source == "letsencrypt":
        yield from _acme_faults(tls, deployment, mode)
    if mode == "production" and tls.source == "local_ca":
        yield Fault(
            code="CONFIG-TLS-SOURCE",
            path=("tls", "source"),
            what="tls.source is local_ca, and this is a production deployment.",
            why="Neither browsers nor the AgentCore Gateway trust the certificate authority of one machine.",
            do=("Write letsencrypt, or files with deployment.ssl_cert_path and deployment.ssl_key_path.",),
            correction="files",
        )
    # With neither named, they are looked for in the usual folders of the domain (tls/files.py).
    looked_for = deployment.domain_name and not (deployment.ssl_cert_path or deployment.ssl_key_path)
    if tls.source == "files" and not looked_for:
        for field, file in (("ssl_cert_path", "fullchain.pem"), ("ssl_key_path", "privkey.pem")):
            if not getattr(deployment, field):
                example = f"/etc/letsencrypt/live/{deployment.domain_name or 'sre.example.com'}/{file}"
                yield required(field, example, "tls.source is files, so the certificate comes from there.").under("deployment")


# Top-level names that no public authority certifies (RFC 6761, RFC 6762, RFC 8375, and ICANN's `internal`).
_PRIVATE_NAMES = frozenset({"arpa", "corp", "example", "home", "internal", "invalid", "lan", "local", "localhost", "onion", "test"})
_STAGING_ROOTS = "https://letsencrypt.org/docs/staging-environment/"


def _acme_faults(tls: TLSConfig, deployment: DeploymentConfig, mode: Mode) -> Iterator[Fault]:
    """Yield a fault for what keeps an ACME authority from proving the domain, and clients from trusting its certificate."""
    domain = deployment.domain_name
    if mode == "local":
        yield from _local_acme_faults(tls, domain)
    if domain.rpartition(".")[2] in _PRIVATE_NAMES and not tls.directory_url:
        yield Fault(
            code="CONFIG-DOMAIN-NAME",
            path=("deployment", "domain_name"),
            what="deployment.domain_name is a name that Let's Encrypt does not certify.",
            why="It certifies names of public DNS only, and this one exists in private networks only.",
            do=("Use a name that is registered, like this: sre.example.com", "Or set tls.directory_url to an ACME authority of your own."),
            correction="sre.example.com",
        )
    if tls.challenge == "dns-01" and not deployment.hosted_zone_id:
        why = "tls.challenge is dns-01, so the machine proves the domain by a record in this Route 53 zone."
        yield required("hosted_zone_id", "Z0123456789ABCDEFGHIJ", why).under("deployment")
    if tls.staging and tls.directory_url:
        yield Fault(
            code="CONFIG-ACME-DIRECTORY",
            path=("tls", "staging"),
            what="tls.staging and tls.directory_url name two authorities.",
            why="staging is Let's Encrypt's own directory for trials; directory_url is another authority's.",
            do=("Set staging to false, or remove directory_url.",),
            correction="false",
        )
    if tls.staging and not deployment.ssl_ca_path:
        why = f"tls.staging is true, and clients trust its certificates only with the roots that {_STAGING_ROOTS} lists."
        yield required("ssl_ca_path", "staging-roots.pem", why).under("deployment")


def _local_acme_faults(tls: TLSConfig, domain: str) -> Iterator[Fault]:
    if not tls.directory_url:
        yield Fault(
            code="CONFIG-TLS-SOURCE",
            path=("tls", "source"),
            what="tls.source is letsencrypt, and this is local mode.",
            why="Let's Encrypt can't reach a machine that exists on this computer only.",
            do=("Write local_ca.", "Or set tls.directory_url to an ACME authority that runs here, such as Pebble."),
            correction="local_ca",
        )
    if not domain:
        yield required("domain_name", "sre.example.com", "tls.source is letsencrypt, which certifies a name.").under("deployment")


def tag_faults(tags: Mapping[str, str]) -> Iterator[Fault]:
    """Yield a fault for each tag that AWS refuses, and for keys that the deployer needs for itself."""
    if len(tags) > MOST_TAGS:
        yield _tag_fault(("tags",), "tags has too many entries.", f"AWS allows 50 on a resource, of which you can use {MOST_TAGS}.")
    for key, value in tags.items():
        path = ("tags", key)
        if key.lower().startswith(("aws:", "sre-agent:")):
            yield _tag_fault(
                path,
                "tags has a key that is reserved.",
                "aws: is reserved by AWS, and sre-agent: by the deployer, which finds its resources by such tags.",
            )
        if not 1 <= len(key) <= 128 or not all(map(_is_allowed, key)):
            yield _tag_fault(path, "tags has a key that AWS refuses.", "It must be 1-128 of a-z, A-Z, 0-9, space and + - = . _ : / @")
        if len(value) > 256 or not all(map(_is_allowed, value)):
            yield _tag_fault(
                path,
                "tags has a value that AWS refuses.",
                "It must be at most 256 of a-z, A-Z, 0-9, space and + - = . _ : / @",
                at_key=False,
            )


def dns_mark_faults(tags: Mapping[str, str], deployment: DeploymentConfig, state: str) -> Iterator[Fault]:
    """Yield a fault for tags that are longer together than the TXT record which has them in place of the DNS record's own."""
    text = len(urlencode({**tags, "": state})) + _OWN_MARK
    # Each string of it has two quotes and a space.
    needed = text + 3 * (text // _LONGEST_STRING + 1)
    if deployment.hosted_zone_id and needed > _LONGEST_TEXT:
        yield Fault(
            code="CONFIG-TAGS",
            path=("tags",),
            what="tags is too long for the TXT record beside the deployment's DNS records.",
            why=f"DNS records have no tags, so a TXT record has them. It takes {_LONGEST_TEXT:,} characters, and these need {needed:,}.",
            do=(
                "Use fewer or shorter tags; a character other than a-z, A-Z, 0-9, _ . and - counts three times, a space once.",
                "Or leave deployment.hosted_zone_id out, and make the DNS record yourself.",
            ),
            at_key=True,
            aws_docs="https://docs.aws.amazon.com/Route53/latest/APIReference/API_ResourceRecord.html",
        )


def _is_allowed(character: str) -> bool:
    # Most of AWS takes other letters too, AgentCore does not.
    return (character.isascii() and character.isalnum()) or character in " +-=._:/@"


def _tag_fault(path: tuple[str, ...], what: str, why: str, *, at_key: bool = True) -> Fault:
    return Fault(
        code="CONFIG-TAGS",
        path=path,
        what=what,
        why=why,
        do=("Write tags like this: team: platform",),
        at_key=at_key,
        aws_docs="https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html",
    )

"""Rules that look at more than one section."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sre_agent_deploy.config.agreement import arn_faults, required
from sre_agent_deploy.config.fault import Fault, Mode
from sre_agent_deploy.config.not_yet import not_there_yet
from sre_agent_deploy.config.regions import BUDGETS_IN_USD, partition_of
from sre_agent_deploy.config.secret_reference import SecretReference

if TYPE_CHECKING:
    from sre_agent_deploy.config.models import Config

MOST_TAGS = 40  # AWS allows 50; ours and Amazon's own need the rest


def faults_across(config: Config, mode: Mode) -> Iterator[Fault]:
    """Account and region agree everywhere, limits hold, the certificate has a source, and tags are ones AWS accepts."""
    yield from _account_and_region(config)
    yield from _limits(config)
    yield from _budget(config)
    yield from _certificate(config, mode)
    yield from tag_faults(config.tags)


def _account_and_region(config: Config) -> Iterator[Fault]:
    aws = config.aws
    yield from arn_faults(("gateway", "provider_arn"), config.gateway.provider_arn, account_id=aws.account_id, region=aws.region)
    reference = SecretReference.parse(config.credentials.client_secret)
    if reference and reference.store == "aws-secretsmanager":
        yield from _prefixed(reference, aws.account_id, aws.region)
    pool_region = config.credentials.user_pool_id.rpartition("_")[0]
    if pool_region and pool_region != aws.region:
        yield Fault(
            code="CONFIG-MISMATCH",
            path=("credentials", "user_pool_id"),
            what="credentials.user_pool_id is in another region than aws.region says.",
            why="A user pool's ID begins with its region, and everything of one deployment is in one region.",
            do=("Correct whichever of them is wrong.",),
            correction=f"{aws.region}_{config.credentials.user_pool_id.rpartition('_')[2]}",
        )


def _prefixed(reference: SecretReference, account_id: str, region: str) -> Iterator[Fault]:
    for fault in arn_faults(("credentials", "client_secret"), reference.name, account_id=account_id, region=region):
        yield replace(fault, correction=f"{reference.store}:{fault.correction}")


def _limits(config: Config) -> Iterator[Fault]:
    allowed, chosen = config.limits.instance_types, config.deployment.instance_type
    if allowed and chosen not in allowed:
        yield Fault(
            code="CONFIG-LIMIT",
            path=("deployment", "instance_type"),
            what="deployment.instance_type is not one that limits.instance_types allows.",
            why=f"Allowed are {', '.join(allowed)}.",
            do=(f"Use {allowed[0]}.", "Or have limits.instance_types changed by whoever keeps it."),
            correction=allowed[0],
        )


def _budget(config: Config) -> Iterator[Fault]:
    if config.limits.monthly_usd is None:
        if config.alerts.email:
            why = "alerts.email is set, and this version sends no other mails than the budget's."
            instead = ("Add it, like this: monthly_usd: 50", "Or leave alerts.email empty: alerts about the certificate are not there yet.")
            yield replace(required("monthly_usd", "50", why), do=instead).under("limits")
        return
    if not config.alerts.email:
        why = "limits.monthly_usd is set, and AWS Budgets must have somebody to tell."
        yield required("email", "team@example.com", why).under("alerts")
    if partition_of(config.aws.region) not in BUDGETS_IN_USD:
        yield Fault(
            code="CONFIG-MONTHLY-USD",
            path=("limits", "monthly_usd"),
            what=f"limits.monthly_usd can't be kept an eye on in {config.aws.region}.",
            why="GovCloud and the isolated partitions have no AWS Budgets that could, and China is not billed in US dollars.",
            do=("Leave it empty, and watch the costs in the account that pays.",),
            correction='""',
        )


def _certificate(config: Config, mode: Mode) -> Iterator[Fault]:
    if config.tls.source == "acme":
        yield not_there_yet("source", "Certificates from Let's Encrypt", "files").under("tls")
    if mode == "production" and config.tls.source == "local_ca":
        yield Fault(
            code="CONFIG-TLS-SOURCE",
            path=("tls", "source"),
            what="tls.source names a certificate authority of this machine, and this is production.",
            why="Neither browsers nor the AgentCore Gateway trust it.",
            do=("Write files, and set deployment.ssl_cert_path and deployment.ssl_key_path.",),
            correction="files",
        )
    if config.tls.source == "files":
        for field, file in (("ssl_cert_path", "fullchain.pem"), ("ssl_key_path", "privkey.pem")):
            if not getattr(config.deployment, field):
                example = f"/etc/letsencrypt/live/{config.deployment.domain_name or 'sre.example.com'}/{file}"
                yield required(field, example, "tls.source is files, so the certificate comes from there.").under("deployment")


def tag_faults(tags: Mapping[str, str]) -> Iterator[Fault]:
    """AWS's rules for tags, and the keys that the deployer needs for itself."""
    if len(tags) > MOST_TAGS:
        yield _tag_fault(("tags",), "tags has too many entries.", f"AWS allows 50 on a resource, of which you can use {MOST_TAGS}.")
    for key, value in tags.items():
        path = ("tags", key)
        if key.lower().startswith(("aws:", "sre-agent:")):
            yield _tag_fault(
                path,
                "tags has a key that is reserved.",
                "aws: belongs to AWS, sre-agent: to the deployer, which finds its resources by it.",
            )
        if not 1 <= len(key) <= 128 or not all(map(_allowed, key)):
            yield _tag_fault(path, "tags has a key that AWS refuses.", "It must be 1-128 letters, digits, spaces and + - = . _ : / @")
        if len(value) > 256 or not all(map(_allowed, value)):
            yield _tag_fault(
                path,
                "tags has a value that AWS refuses.",
                "It must be at most 256 letters, digits, spaces and + - = . _ : / @",
                at_key=False,
            )


def _allowed(character: str) -> bool:
    return character.isalnum() or character in " +-=._:/@"


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

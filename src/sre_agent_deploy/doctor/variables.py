"""Every environment variable that is read, and the rules for its value (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sre_agent_deploy.config.aws import endpoint_faults, region_faults
from sre_agent_deploy.config.fault import Fault, Mode
from sre_agent_deploy.config.nearest import nearest
from sre_agent_deploy.config.syntax_of_values import ACCOUNT_ID, DOMAIN_NAME

type Rule = Callable[[str], Iterator[Fault]]
LOG_LEVELS = ("debug", "info", "warning", "error")
BOTH: frozenset[Mode] = frozenset({"production", "local"})
PRODUCTION: frozenset[Mode] = frozenset({"production"})


def _log_level(value: str) -> Iterator[Fault]:
    if value.lower() not in LOG_LEVELS:
        meant = nearest(value.lower(), LOG_LEVELS) or "info"
        yield Fault(code="", path=(), what="", why=f"It must be one of {', '.join(LOG_LEVELS)}.", do=(f"Set it: export SRE_LOG={meant}",))


@dataclass(frozen=True, kw_only=True)
class Variable:
    """One variable; `names_file` says that its value is a path, `rule` what else its value must be."""

    name: str
    purpose: str
    example: str
    modes: frozenset[Mode] = PRODUCTION
    names_file: bool = False
    rule: Rule | None = None


VARIABLES = (
    Variable(name="AWS_REGION", purpose="aws.region, where the configuration says ${AWS_REGION}", example="us-east-1", rule=region_faults),
    Variable(
        name="AWS_DEFAULT_REGION", purpose="the region of interactive questions, after AWS_REGION", example="us-east-1", rule=region_faults
    ),
    Variable(
        name="AWS_ACCOUNT_ID",
        purpose="aws.account_id, where the configuration says ${AWS_ACCOUNT_ID}",
        example="123456789012",
        rule=lambda value: ACCOUNT_ID.faults("account_id", value),
    ),
    Variable(name="AWS_ENDPOINT_URL", purpose="an AWS other than Amazon's", example="https://127.0.0.1:4566", rule=endpoint_faults),
    Variable(
        name="AWS_CA_BUNDLE", purpose="certificate authorities that AWS's endpoints may show", example="/etc/ssl/ca.pem", names_file=True
    ),
    Variable(name="SSL_CERT_FILE", purpose="certificate authorities of everything else", example="/etc/ssl/ca.pem", names_file=True),
    Variable(name="AWS_CONFIG_FILE", purpose="where profiles are described", example="~/.aws/config"),
    Variable(name="AWS_SHARED_CREDENTIALS_FILE", purpose="where keys of profiles are kept", example="~/.aws/credentials"),
    Variable(name="HTTPS_PROXY", purpose="the proxy on the way to AWS", example="http://proxy.example.com:3128"),
    Variable(name="NO_PROXY", purpose="hosts that are reached without the proxy", example="169.254.169.254,.example.com"),
    Variable(
        name="SRE_DOMAIN_NAME",
        purpose="deployment.domain_name, where the configuration says ${SRE_DOMAIN_NAME}",
        example="sre.example.com",
        rule=lambda value: DOMAIN_NAME.faults("domain_name", value),
    ),
    Variable(
        name="SRE_SSL_CERT_PATH", purpose="the certificate chain, as the template has it", example="/opt/ssl/chain.pem", names_file=True
    ),
    Variable(name="SRE_SSL_KEY_PATH", purpose="the private key, as the template has it", example="/opt/ssl/key.pem", names_file=True),
    Variable(name="SRE_SSL_CA_PATH", purpose="a private certificate authority", example="/opt/ssl/ca.pem", names_file=True),
    Variable(name="SRE_AGENT_STATE_DIR", purpose="the folder for what outlives a command", example="~/.local/state/sre-agent", modes=BOTH),
    Variable(
        name="XDG_STATE_HOME", purpose="the folder above it, where SRE_AGENT_STATE_DIR is not set", example="~/.local/state", modes=BOTH
    ),
    Variable(name="SRE_LOG", purpose="how much is logged to stderr", example="info", modes=BOTH, rule=_log_level),
)

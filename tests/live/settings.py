"""Read the settings of `make test-aws` from the environment, and refuse accounts (pure)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sre_agent_deploy.account import deployment_id
from sre_core import duration
from sre_core.problem import Problem

TAG = ("sre-agent-live", "yes")
"""The tag of everything that the run creates, by which the account's budget counts it."""

VARIABLES = {
    "SRE_LIVE_ACCOUNTS": "the ids of the accounts that may be used, with commas between them; no other is",
    "SRE_LIVE_DOMAIN": "a name in the hosted zone for the front door, for example live.example.com",
    "SRE_LIVE_HOSTED_ZONE_ID": "the Route 53 hosted zone of that name, in the same account",
    "SRE_LIVE_EMAIL": "gets the mails of the budget",
    "SRE_LIVE_USD": "the spend limit of the account's tests in US dollars a month",
}
"""The variables that have no default: a run in a real account must be intended."""

OPTIONAL = {
    "SRE_LIVE_TTL": ("6h", "how long a deployment may stay before a sweep deletes it"),
    "SRE_LIVE_NAME": ("live", "the name of the deployment; two runs of one name disturb one another"),
    "AWS_REGION": ("us-east-1", "the region"),
    "AWS_ENDPOINT_URL": ("", "an AWS that is not Amazon's"),
}


@dataclass(frozen=True)
class Settings:
    """The resources, the time and the money that a run may use."""

    accounts: tuple[str, ...]
    domain: str
    zone: str
    email: str
    usd: float
    ttl: str
    name: str
    region: str
    endpoint: str

    @property
    def life(self) -> timedelta:
        return duration.parse(self.ttl) or timedelta(0)

    def deployment(self, account_id: str) -> str:
        """Compute the deployment's id, which is known before anything exists."""
        return deployment_id(account_id, self.region, self.name)


def read_settings(environ: Mapping[str, str]) -> Settings | Problem:
    """Read the settings, or say everything that is missing or wrong."""
    given = {name: environ.get(name, "").strip() for name in VARIABLES}
    given |= {name: environ.get(name, "").strip() or default for name, (default, _) in OPTIONAL.items()}
    faults = [f"Set {name}: {VARIABLES[name]}." for name in VARIABLES if not given[name]]
    accounts = tuple(filter(None, re.split(r"[,\s]+", given["SRE_LIVE_ACCOUNTS"])))
    faults += [f"SRE_LIVE_ACCOUNTS: {account!r} is no account id, which has 12 digits." for account in accounts if not _is_id(account)]
    usd = _amount(given["SRE_LIVE_USD"])
    if given["SRE_LIVE_USD"] and not usd:
        faults.append("SRE_LIVE_USD must be an amount above 0, for example 20.")
    if not duration.parse(given["SRE_LIVE_TTL"]):
        faults.append("SRE_LIVE_TTL must be a whole number and a unit (s, m, h or d), for example 6h.")
    if faults:
        return Problem(
            code="LIVE-SETTINGS",
            what="Nothing was asked of AWS and nothing was touched.",
            why="The settings of `make test-aws` are not complete.",
            do=(*faults, "Or run it against the local AWS, which needs none: make test-aws ARGS=--local"),
        )
    return Settings(
        accounts,
        given["SRE_LIVE_DOMAIN"],
        given["SRE_LIVE_HOSTED_ZONE_ID"],
        given["SRE_LIVE_EMAIL"],
        usd,
        given["SRE_LIVE_TTL"],
        given["SRE_LIVE_NAME"],
        given["AWS_REGION"],
        given["AWS_ENDPOINT_URL"],
    )


def refuse_account(settings: Settings, account_id: str) -> Problem | None:
    """Refuse an account that the list does not name: only a dedicated one may be used."""
    if account_id in settings.accounts:
        return None
    return Problem(
        code="LIVE-ACCOUNT-REFUSED",
        what=f"The credentials belong to account {account_id}. Nothing was touched.",
        why=f"SRE_LIVE_ACCOUNTS allows {', '.join(settings.accounts)} only: tests create, kill and delete, in an account of their own.",
        do=(
            "Use credentials of an allowed account (check with `aws sts get-caller-identity`).",
            "Or add the id, if nothing else is in that account.",
        ),
    )


def configuration(settings: Settings, account_id: str, folder: str, volume_gb: int = 50) -> dict[str, object]:
    """Write the configuration of the deployment that a run makes: production, with rules, a private authority and a lifetime."""
    files = {"ssl_cert_path": "fullchain.pem", "ssl_key_path": "privkey.pem", "ssl_ca_path": "ca.pem"}
    return {
        "version": 1,
        "mode": "production",
        "name": settings.name,
        "aws": {"account_id": account_id, "region": settings.region, "endpoint_url": settings.endpoint},
        "deployment": {
            "domain_name": settings.domain,
            "hosted_zone_id": settings.zone,
            "volume_gb": volume_gb,
            "dns_ttl": 1,
            "ttl": settings.ttl,
            **{field: f"{folder}/{name}" for field, name in files.items()},
        },
        "tls": {"source": "files"},
        "services": {"source": "recorded", "recording": "crash-loop"},
        "assistant": {"reasoner": "rules"},
        "limits": {"instance_types": ["t3.xlarge"], "instances": 1},
        "alerts": {"email": settings.email},
        "monitoring": {"traces": "xray"},
        "tags": {TAG[0]: TAG[1]},
    }


def _is_id(text: str) -> bool:
    return bool(re.fullmatch(r"\d{12}", text))


def _amount(text: str) -> float:
    """Read an amount; 0 for anything that is no limit, `inf` and `nan` too."""
    try:
        amount = float(text)
    except ValueError:
        return 0.0
    return amount if 0 < amount < math.inf else 0.0

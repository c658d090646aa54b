"""The settings of a serving assistant: its environment and its one credential."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sre_agent.reasoners import DEFAULT, REASONERS
from sre_agent.tokens import SecretFile
from sre_core import metrics
from sre_core.problem import Problem, Refused
from sre_core.secret import Secret


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The environment of docs/concepts/contracts.md, read once."""

    gateway_url: str
    oidc_discovery_url: str
    gateway_client_id: str
    gateway_scope: str
    gateway_client_secret: Secret | SecretFile
    caller_client_id: str
    caller_scope: str
    reasoner: str
    prefix_token_endpoint: str = ""
    """The token endpoint at the pool's prefix, where the pool has a custom domain too."""
    usage_file: Path | None = None
    """Where it is written down what each question used; None where no folder for logs is given."""
    usage_printed: bool = False
    """Whether it is printed instead."""


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the settings. Raises Refused with everything that is missing or wrong, not with the first only."""
    problems = [_missing(name) for name in _NAMES if not environment.get(name)]
    problems += [_not_https(name) for name in _URLS if not _is_https(environment.get(name, "https://"))]
    reasoner = environment.get("SRE_REASONER") or DEFAULT
    if reasoner not in REASONERS:
        problems.append(_unknown_reasoner(reasoner))
    folder, arn = environment.get("CREDENTIALS_DIRECTORY", ""), environment.get("GATEWAY_CLIENT_SECRET_ARN", "")
    secret: Secret | SecretFile | None = _read_credential(folder, "gateway-client-secret")
    if secret is None and not arn:
        problems.append(_no_credential("gateway-client-secret"))
    if problems:
        raise Refused(*problems)
    secret = secret or _read_from_aws(arn)
    values = {name.lower(): environment[name] for name in _NAMES}
    prefix_endpoint = environment.get(_PREFIX, "")
    logs = environment.get("LOGS_DIRECTORY", "")
    return Settings(
        **values,
        gateway_client_secret=secret,
        reasoner=reasoner,
        prefix_token_endpoint=prefix_endpoint,
        usage_file=Path(logs) / metrics.USAGE_FILE if logs else None,
        usage_printed=environment.get(metrics.USAGE_VARIABLE) == metrics.USAGE_PRINTED,
    )


_PREFIX = "PREFIX_TOKEN_ENDPOINT"
_URLS = ("GATEWAY_URL", "OIDC_DISCOVERY_URL", _PREFIX)
_NAMES = ("GATEWAY_URL", "OIDC_DISCOVERY_URL", "GATEWAY_CLIENT_ID", "GATEWAY_SCOPE", "CALLER_CLIENT_ID", "CALLER_SCOPE")


def _is_https(url: str) -> bool:
    return url.startswith("https://")


def _read_credential(folder: str, name: str) -> SecretFile | None:
    found = SecretFile(Path(folder) / name)
    try:
        return found if folder and found.read() else None
    except OSError:
        return None


def _read_from_aws(arn: str) -> Secret:
    """Read the gateway client's secret with the role of this container. Raises Refused when AWS does not return it."""
    from sre_agent.aws import read_client_secret
    from sre_agent.connection import SecretReference

    region = (arn.split(":") + [""] * 4)[3]
    return read_client_secret(SecretReference(secret_arn=arn, json_key="client_secret", region=region), "")


def _missing(name: str) -> Problem:
    return Problem(
        code="ASSISTANT-SETTING-MISSING",
        what=f"The assistant's setting {name} is not set.",
        why="The assistant reads it from its environment, which machine.json describes.",
        do=(
            "On the instance, start the assistant by its unit: sudo systemctl restart sre-agent-assistant",
            f"By hand, set {name}; docs/concepts/contracts.md says to what.",
        ),
    )


def _not_https(name: str) -> Problem:
    return Problem(
        code="ASSISTANT-SETTING-NOT-HTTPS",
        what=f"{name} is not an https address.",
        why="The assistant sends tokens only over connections whose certificate was verified.",
        do=(f"Set {name} to an address that begins with https://.",),
    )


def _unknown_reasoner(name: str) -> Problem:
    return Problem(
        code="ASSISTANT-REASONER-UNKNOWN",
        what=f"This release has no reasoner {name!r}.",
        why="SRE_REASONER names it.",
        do=(
            f"Set SRE_REASONER to one of these: {', '.join(REASONERS)}.",
            "In a deployment, set assistant.reasoner in config.yaml and run: sre-agent-deploy deploy",
        ),
    )


def _no_credential(name: str) -> Problem:
    return Problem(
        code="ASSISTANT-CREDENTIAL-MISSING",
        what=f"The credential {name} can't be read.",
        why="It is a file of that name in $CREDENTIALS_DIRECTORY, which the unit of the assistant names.",
        do=(
            "On the instance, start the assistant by its unit: sudo systemctl restart sre-agent-assistant",
            f"By hand, write the secret to a file named {name} and set CREDENTIALS_DIRECTORY to its folder.",
        ),
    )

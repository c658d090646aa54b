"""What the assistant is told when it starts: its environment and its one credential."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sre_core.problem import Problem, Refused
from sre_core.secret import Secret

REASONERS = ("rules",)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The environment of docs/concepts/contracts.md, read once."""

    gateway_url: str
    oidc_discovery_url: str
    gateway_client_id: str
    gateway_scope: str
    gateway_client_secret: Secret
    caller_client_id: str
    caller_scope: str
    reasoner: str


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings. Raises Refused with everything that is missing or wrong, not the first only."""
    problems = [_missing(name) for name in _NAMES if not environment.get(name)]
    problems += [_not_https(name) for name in ("GATEWAY_URL", "OIDC_DISCOVERY_URL") if not _https(environment.get(name, "https://"))]
    reasoner = environment.get("SRE_REASONER") or REASONERS[0]
    if reasoner not in REASONERS:
        problems.append(_unknown_reasoner(reasoner))
    secret = _credential(environment.get("CREDENTIALS_DIRECTORY", ""), "gateway-client-secret")
    if secret is None:
        problems.append(_no_credential("gateway-client-secret"))
    if problems or secret is None:
        raise Refused(*problems)
    return Settings(**{name.lower(): environment[name] for name in _NAMES}, gateway_client_secret=secret, reasoner=reasoner)


_NAMES = ("GATEWAY_URL", "OIDC_DISCOVERY_URL", "GATEWAY_CLIENT_ID", "GATEWAY_SCOPE", "CALLER_CLIENT_ID", "CALLER_SCOPE")


def _https(url: str) -> bool:
    return url.startswith("https://")


def _credential(folder: str, name: str) -> Secret | None:
    try:
        return Secret((Path(folder) / name).read_text(encoding="utf-8").strip()) if folder else None
    except OSError:
        return None


def _missing(name: str) -> Problem:
    return Problem(
        code="ASSISTANT-SETTING-MISSING",
        what=f"The assistant's setting {name} is not set.",
        why="It is read from the environment, which machine.json describes for this service.",
        do=(f"Set {name}; docs/concepts/contracts.md says to what.",),
    )


def _not_https(name: str) -> Problem:
    return Problem(
        code="ASSISTANT-SETTING-NOT-HTTPS",
        what=f"{name} is not an https address.",
        why="Tokens are only sent over connections whose certificate was verified.",
        do=(f"Set {name} to an address that begins with https://.",),
    )


def _unknown_reasoner(name: str) -> Problem:
    return Problem(
        code="ASSISTANT-REASONER-UNKNOWN",
        what=f"There is no reasoner {name}.",
        why="SRE_REASONER names one that this release does not have.",
        do=(f"Set SRE_REASONER to one of: {', '.join(REASONERS)}.",),
    )


def _no_credential(name: str) -> Problem:
    return Problem(
        code="ASSISTANT-CREDENTIAL-MISSING",
        what=f"The credential {name} can't be read.",
        why="It is a file of that name in $CREDENTIALS_DIRECTORY, as systemd's LoadCredential= provides it.",
        do=("Start the assistant through its systemd unit, or set CREDENTIALS_DIRECTORY to a folder with that file.",),
    )

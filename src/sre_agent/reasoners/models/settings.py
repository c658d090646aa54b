"""The settings of a language model: which one, where, its key, its budget, and what it never gets to see."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from sre_agent.reasoners.privacy import Privacy
from sre_core.problem import Problem, Refused
from sre_core.secret import Secret

KEY_FILE = "model-api-key"


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The maximum for one question: requests to the model, calls of tools, tokens, seconds and dollars."""

    requests: int = 24
    calls: int = 60
    tokens: int = 400_000
    seconds: float = 120.0
    dollars: float = 1.0


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """One model and its fallback. `url` is empty for the provider's own address."""

    model: str
    fallback: str
    url: str
    region: str
    key: Secret | None
    budget: Budget
    privacy: Privacy


def read_settings(environment: Mapping[str, str], *, model: str, fallback: str = "", key_variable: str = "") -> ModelSettings:
    """Read the settings of a provider from the environment. Raises Refused with everything that is wrong."""
    problems: list[Problem] = []
    url = environment.get("SRE_MODEL_URL", "")
    if url and not _is_safe(url):
        problems.append(_not_https(url))
    return_key = _read_key(environment, key_variable)
    settings = ModelSettings(
        model=environment.get("SRE_MODEL") or model,
        fallback=environment.get("SRE_MODEL_FALLBACK", fallback),
        url=url,
        region=environment.get("SRE_MODEL_REGION") or environment.get("AWS_REGION", ""),
        key=return_key,
        budget=_read_budget(environment, problems),
        privacy=_read_privacy(environment, problems),
    )
    if problems:
        raise Refused(*problems)
    return settings


def _read_key(environment: Mapping[str, str], variable: str) -> Secret | None:
    """Read the key from the credential that systemd provides, else from the provider's usual variable."""
    folder = environment.get("CREDENTIALS_DIRECTORY", "")
    try:
        if folder and variable:
            return Secret((Path(folder) / KEY_FILE).read_text(encoding="utf-8").strip())
    except OSError:
        pass
    text = environment.get(variable, "") if variable else ""
    return Secret(text) if text else None


def _read_budget(environment: Mapping[str, str], problems: list[Problem]) -> Budget:
    usual = Budget()
    found: dict[str, float] = {}
    for name in ("requests", "calls", "tokens", "seconds", "dollars"):
        text = environment.get(f"SRE_MODEL_{name.upper()}", "")
        try:
            found[name] = float(text) if text else getattr(usual, name)
        except ValueError:
            found[name] = -1
        if not found[name] > 0:
            problems.append(_wrong(f"SRE_MODEL_{name.upper()}", "It is not a number greater than 0.", f"Set it to {getattr(usual, name)}."))
    whole = {name: int(found[name]) for name in ("requests", "calls", "tokens")}
    return Budget(**whole, seconds=found["seconds"], dollars=found["dollars"])


def _read_privacy(environment: Mapping[str, str], problems: list[Problem]) -> Privacy:
    name = "SRE_PRIVACY_HIDE"
    try:
        patterns = json.loads(environment.get(name) or "[]")
        hide = tuple(re.compile(pattern) for pattern in patterns)
    except (ValueError, TypeError, re.error) as error:
        problems.append(_wrong(name, f"It is not a JSON list of regular expressions: {error}", "Correct assistant.privacy.hide."))
        hide = ()
    return Privacy(hide=hide, addresses=environment.get("SRE_PRIVACY_ADDRESSES") == "hide")


def _is_safe(url: str) -> bool:
    """Say whether an address is HTTPS, or HTTP on this machine (as Ollama's is)."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return True
    try:
        return parts.scheme == "http" and (parts.hostname == "localhost" or ip_address(parts.hostname or "").is_loopback)
    except ValueError:
        return False


def no_key(variable: str) -> Problem:
    """Return the problem of a provider that was chosen without a key."""
    return Problem(
        code="MODEL-KEY-MISSING",
        what="The language model can't be asked without a key.",
        why=f"Neither the credential {KEY_FILE} nor the variable {variable} is there.",
        do=(
            f"In a deployment, set assistant.api_key: env:{variable} in config.yaml and run: sre-agent-deploy deploy --config config.yaml",
            "Or use the rules, which need no key: assistant.reasoner: rules",
        ),
    )


def no_model(variable: str) -> Problem:
    """Return the problem of a compatible endpoint without the name of a model."""
    return _wrong(variable, "An OpenAI-compatible endpoint has models of any name.", "Set assistant.model, for example to gpt-5.2.")


def _not_https(url: str) -> Problem:
    return _wrong(
        "SRE_MODEL_URL",
        f"{url} would send observations of your systems in clear text.",
        "Use an address that begins with https://, or http:// on this machine.",
    )


def _wrong(name: str, why: str, do: str) -> Problem:
    return Problem(code="MODEL-SETTING-INVALID", what=f"The setting {name} of the language model can't be used.", why=why, do=(do,))

"""The settings of one source: plain values from SRE_SOURCES, secrets from files in $CREDENTIALS_DIRECTORY."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sre_core.problem import Problem, Refused
from sre_core.secret import Secret

SOURCES = "SRE_SOURCES"


@dataclass(frozen=True)
class Settings:
    """One entry of SRE_SOURCES; `name` is its name in answers.

    A value is never a secret: `token: metrics-token` names a credential file.
    """

    source: str
    name: str
    values: Mapping[str, str]
    environment: Mapping[str, str]

    def get(self, name: str) -> str:
        """Return a value; empty where it is not set."""
        return self.values.get(name, "")

    def require(self, name: str) -> str:
        """Return a value. Raises Refused where it is not set."""
        if not self.get(name):
            raise Refused(_incomplete(self.source, name))
        return self.get(name)

    def credential(self, name: str) -> Secret | None:
        """Read the credential file that the value `name` names; None where it names none. Raises Refused where it can't be read."""
        file = self.get(name)
        if not file:
            return None
        try:
            text = (Path(self.environment.get("CREDENTIALS_DIRECTORY", "")) / file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as fault:
            raise Refused(_unreadable(self.source, name, file, type(fault).__name__)) from None
        return Secret(text)


def parse_sources(environment: Mapping[str, str]) -> Sequence[Settings]:
    """Parse SRE_SOURCES, a JSON list of objects with `source` and the settings of that source. Raises Refused."""
    text = environment.get(SOURCES, "")
    try:
        entries = json.loads(text) if text else []
        names = name_sources([(str(entry.get("name", "")), str(entry["source"])) for entry in entries])
        values = [{key: str(value) for key, value in entry.items()} for entry in entries]
        return [Settings(each["source"], name, each, environment) for name, each in zip(names, values, strict=True)]
    except (ValueError, TypeError, KeyError, AttributeError) as fault:
        raise Refused(_malformed(type(fault).__name__)) from None


def name_sources(given: Sequence[tuple[str, str]]) -> list[str]:
    """Return a name for each pair of a name, which may be empty, and a kind: the kind itself, with a number from the second on."""
    names: list[str] = []
    kinds = Counter[str]()
    for name, kind in given:
        kinds[kind] += 1
        names.append(name or (kind if kinds[kind] == 1 else f"{kind}-{kinds[kind]}"))
    return names


def _malformed(fault: str) -> Problem:
    return Problem(
        code="SVC-SOURCES-MALFORMED",
        what="SRE_SOURCES can't be read.",
        why=f'It must be a JSON list such as [{{"source": "prometheus", "url": "https://prometheus.example"}}] ({fault}).',
        do=("Set services.* in config.yaml and deploy again: the deployment writes this variable.", "By hand: write it as shown above."),
    )


def _incomplete(source: str, name: str) -> Problem:
    return Problem(
        code="SVC-SOURCE-INCOMPLETE",
        what=f"The source {source} has no {name}.",
        why=f"A {source} source can't be used without it.",
        do=(f"Set {name} of this source in config.yaml, below services, and deploy again.",),
    )


def _unreadable(source: str, name: str, file: str, fault: str) -> Problem:
    return Problem(
        code="SVC-SOURCE-CREDENTIAL-MISSING",
        what=f"The {name} of the source {source} can't be read.",
        why=f"There is no readable file {file} in $CREDENTIALS_DIRECTORY ({fault}).",
        do=(
            f"Set {name} of this source in config.yaml to a reference (file:/path, env:NAME) and deploy again.",
            f"By hand: write it to a file named {file}, and set CREDENTIALS_DIRECTORY to its folder.",
        ),
    )

"""Check from this machine that the systems can be read from which the services are to answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from sre_agent_deploy.account.source_secrets import read_source_secrets
from sre_agent_deploy.checks.check import Verdict
from sre_agent_deploy.checks.preflight.context import Context
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.config.sources import name_sources
from sre_agent_deploy.instance.sources import ServiceSources, describe_sources, keep_source
from sre_core.problem import Problem, Refused

_SECONDS = 40.0
# The services' own words for what only a change of permissions in the system itself can mend, and that leaves much to be seen.
_PERMISSION = "SVC-SOURCE-PERMISSION"


@dataclass(frozen=True)
class SourceFacts:
    """Why a source can't be read, None where it can; and whether the services run on this machine, too."""

    problem: Problem | None
    here: bool = True


@dataclass(frozen=True)
class SourceReadable:
    """The service's own program reads one source with the credentials that the deployment will give it."""

    service: str
    source: str
    alone: bool = True

    requirements: ClassVar[tuple[str, ...]] = ("4.1", "4.2")
    required: ClassVar[bool] = True

    @property
    def id(self) -> str:
        return f"source.{self.service}" if self.alone else f"source.{self.service}.{self.source}"

    @property
    def proves(self) -> str:
        return f"the source of {self.service}{'' if self.alone else f' {self.source}'} can be read"

    def probe(self, world: Context) -> SourceFacts | Problem:
        try:
            secrets = read_source_secrets(world.config, world.aws)
        except Refused as refused:
            return SourceFacts(refused.problems[0])
        own = {key: secret.reveal() for (service, key), secret in secrets.items() if service == self.service}
        ended = _run_check(self.service, keep_source(describe_sources(world.config)[self.service], self.source), own)
        found = _parse(ended) if ended else None
        return replace(found, here=world.config.mode == "local") if found else _not_checked(self.service, self.source, ended)

    def judge(self, facts: SourceFacts) -> Verdict:
        if facts.problem is None:
            return Verdict(True, self.proves)
        # An instance elsewhere may reach what this machine does not.
        stops = facts.here and facts.problem.code != _PERMISSION
        return Verdict(False if stops else None, facts.problem.what, facts.problem, optional=not stops)


def source_checks(config: Config) -> tuple[SourceReadable, ...]:
    """List a check for each source of the user's own."""
    return tuple(
        SourceReadable(service, name, alone=len(sources) == 1)
        for service, sources in config.services.live().items()
        for name, _ in name_sources(sources)
    )


type Ended = subprocess.CompletedProcess[str]


def _run_check(service: str, sources: ServiceSources, secrets: Mapping[str, str]) -> Ended | None:
    """Run `python -m sre_services check`; return None where it took too long. The credentials are in a folder that is then deleted."""
    with tempfile.TemporaryDirectory() as folder:
        for file, reference in sources.credentials.items():
            path = Path(folder, file)
            path.touch(mode=0o600)
            path.write_text(secrets[reference.json_key], encoding="utf-8")
        environment = {**os.environ, **sources.environment, "CREDENTIALS_DIRECTORY": folder}
        command = [sys.executable, "-m", "sre_services", "check", service]
        try:
            return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False)  # noqa: S603
        except subprocess.TimeoutExpired:
            return None


def _parse(ended: Ended) -> SourceFacts | None:
    """Parse what the program found; None where it could not look."""
    if ended.returncode == 0:
        return SourceFacts(None)
    try:
        found = json.loads(ended.stdout)
        problem = Problem(
            code=str(found["code"]), what=found["what"], why=found["why"], do=tuple(found["do"]), context=found.get("context") or {}
        )
    except (ValueError, KeyError, TypeError):
        return None
    return SourceFacts(problem)


def _not_checked(service: str, source: str, ended: Ended | None) -> Problem:
    lines = ended.stderr.strip().splitlines() if ended else [f"It did not end within {_SECONDS:.0f} seconds"]
    return Problem(
        code="SOURCE-NOT-CHECKED",
        what=f"The source {source} of {service} could not be checked before the deployment.",
        why=f"{lines[-1] if lines else 'The program that checks it gave no reason'}.",
        do=(
            "The deployment is verified afterwards, and reports then what can't be read.",
            "To check it before, install the services beside the deployer: pip install 'sre-agent[services]'",
        ),
    )

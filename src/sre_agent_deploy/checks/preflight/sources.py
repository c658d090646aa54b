"""Check from this machine that the systems, or the recording, can be read from which the services are to answer;
and that a cluster of Amazon EKS can get the access entry that the configuration asks for.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from sre_agent_deploy.account.source_secrets import read_source_secrets
from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.checks import Verdict
from sre_agent_deploy.checks.preflight import Context, ask
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.config.sources import name_sources
from sre_agent_deploy.instance.user_data import ServiceSources, describe_sources, keep_source
from sre_agent_deploy.resources.eks_access_entry import explain_absence, explain_mode
from sre_core import release
from sre_core.problem import Problem, Refused, Where

_SECONDS = 40.0
# The services' own errors that only a change of permissions in the system itself can repair, and that leave much to be seen.
_PERMISSION = "SVC-SOURCE-PERMISSION"
_PLACE = re.compile(r"(?P<file>.+?)(:(?P<line>\d+))?(:(?P<column>\d+))?")


@dataclass(frozen=True)
class SourceFacts:
    """The reason why a source can't be read, None if it can; and if the services run on this machine, too."""

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
        ended = _run_check((self.service,), keep_source(describe_sources(world.config)[self.service], self.source), own)
        found = _parse(ended) if ended else None
        if found is None:
            return _not_checked(f"source {self.source} of {self.service}", ended)
        return SourceFacts(next(iter(found), None), here=world.config.mode == "local")

    def judge(self, facts: SourceFacts) -> Verdict:
        if facts.problem is None:
            return Verdict(True, self.proves)
        # An instance elsewhere may reach what this machine does not.
        stops = facts.here and facts.problem.code != _PERMISSION
        return Verdict(False if stops else None, facts.problem.what, facts.problem, optional=not stops)


class RecordingReadable:
    """Every file of the user's own recording is read as the services will read it."""

    id: ClassVar[str] = "source.recording"
    proves: ClassVar[str] = "the recording can be read"
    requirements: ClassVar[tuple[str, ...]] = ("4.1", "4.2")
    required: ClassVar[bool] = True

    def probe(self, world: Context) -> tuple[Problem, ...] | Problem:
        return find_recording_faults(world.config)

    def judge(self, facts: tuple[Problem, ...]) -> Verdict:
        if not facts:
            return Verdict(True, self.proves)
        first, *others = facts
        # A finding has one Problem; other files with a fault are named in its context.
        return Verdict(False, first.what, first.with_context(**{str(other.where or other.code): other.why for other in others}))


def find_recording_faults(config: Config) -> tuple[Problem, ...] | Problem:
    """Find every fault in the user's own recording, or explain why nothing could be looked at. Asks no AWS."""
    readers = list_recording_readers(config)
    if not readers:
        return ()
    ended = _run_check(readers, ServiceSources({"SRE_RECORDING": config.services.recording}), {})
    found = _parse(ended) if ended else None
    return _not_checked(f"recording {config.services.recording}", ended) if found is None else found


def list_recording_readers(config: Config) -> tuple[str, ...]:
    """List the services that answer from a recording of the user's own; one that ships is whole (pure)."""
    if not any(sign in config.services.recording for sign in "/."):
        return ()
    elsewhere = describe_sources(config)
    return tuple(service.name for service in release.backends() if service.name not in elsewhere)


def source_checks(config: Config) -> tuple[SourceReadable | RecordingReadable, ...]:
    """List a check for each source of the user's own, and for a recording."""
    sources = tuple(
        SourceReadable(service, name, alone=len(sources) == 1)
        for service, sources in config.services.live().items()
        for name, _ in name_sources(sources)
    )
    return (*sources, *((RecordingReadable(),) if list_recording_readers(config) else ()))


type Ended = subprocess.CompletedProcess[str]


def _run_check(services: Sequence[str], sources: ServiceSources, secrets: Mapping[str, str]) -> Ended | None:
    """Run `python -m sre_services check`; return None where it took too long. The credentials are in a folder that is then deleted."""
    with tempfile.TemporaryDirectory() as folder:
        for file, reference in sources.credentials.items():
            path = Path(folder, file)
            path.touch(mode=0o600)
            path.write_text(secrets[reference.json_key], encoding="utf-8")
        environment = {**os.environ, **sources.environment, "CREDENTIALS_DIRECTORY": folder}
        command = [sys.executable, "-m", "sre_services", "check", *services]
        try:
            return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False)  # noqa: S603
        except subprocess.TimeoutExpired:
            return None


def _parse(ended: Ended) -> tuple[Problem, ...] | None:
    """Parse what the program found; None where it could not look."""
    try:
        found = tuple(_parse_problem(json.loads(line)) for line in ended.stdout.splitlines())
    except (ValueError, KeyError, TypeError):
        return None
    return found if bool(found) == bool(ended.returncode) else None


def _parse_problem(found: Mapping[str, Any]) -> Problem:
    place = _PLACE.fullmatch(found.get("where", ""))
    where = Where(place["file"], int(place["line"] or 0) or None, int(place["column"] or 0) or None) if place else None
    return Problem(
        code=str(found["code"]),
        what=found["what"],
        why=found["why"],
        do=tuple(found["do"]),
        context=found.get("context") or {},
        where=where,
    )


def _not_checked(subject: str, ended: Ended | None) -> Problem:
    lines = ended.stderr.strip().splitlines() if ended else [f"It did not end within {_SECONDS:.0f} seconds"]
    return Problem(
        code="SOURCE-NOT-CHECKED",
        what=f"The {subject} could not be checked before the deployment.",
        why=f"{lines[-1] if lines else 'The program that checks it gave no reason'}.",
        do=(
            "The deployment is verified afterwards, and reports then what can't be read.",
            "To check it before, install the services beside the deployer: pip install 'sre-agent[services]'",
        ),
    )


@dataclass(frozen=True)
class ClusterFacts:
    """The authentication mode of a cluster; empty where there is no such cluster."""

    region: str
    mode: str


@dataclass(frozen=True)
class ClusterEnterable:
    """The authentication mode of a cluster knows access entries."""

    cluster: str
    required: ClassVar[bool] = True
    requirements: ClassVar[tuple[str, ...]] = ("3.2",)

    @property
    def id(self) -> str:
        return f"eks.{self.cluster}"

    @property
    def proves(self) -> str:
        return f"the cluster {self.cluster} knows access entries"

    def probe(self, world: Context) -> ClusterFacts | Problem:
        eks = world.aws.client("eks")
        found: Any = ask(
            lambda: or_none(lambda: eks.describe_cluster(name=self.cluster)["cluster"], ("ResourceNotFoundException",)),
            "eks:DescribeCluster",
        )
        if isinstance(found, Problem):
            return found
        # A cluster that says nothing of it is older than access entries.
        mode = found.get("accessConfig", {}).get("authenticationMode", "CONFIG_MAP") if found else ""
        return ClusterFacts(world.aws.region, mode)

    def judge(self, facts: ClusterFacts) -> Verdict:
        if not facts.mode:
            return Verdict(False, f"there is no cluster {self.cluster}", explain_absence(self.cluster, facts.region))
        if facts.mode == "CONFIG_MAP":
            return Verdict(False, f"the cluster {self.cluster} knows no access entries", explain_mode(self.cluster, facts.mode))
        return Verdict(True, f"the cluster {self.cluster} knows access entries, in mode {facts.mode}")

"""The verification report: what was deployed, what was proven, and what changed since the last one (requirement 4.5)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from sre_agent_deploy.checks.check import Finding, is_complete
from sre_agent_deploy.config.section import SetupResult, VerificationReport
from sre_agent_deploy.report.causes import Cause, find_causes, prove_hops, prove_hops_from_assistant
from sre_core import clock


@dataclass(frozen=True)
class ResourceResult:
    """One resource of the deployment, as the journal records it."""

    name: str
    kind: str
    id: str
    how: str
    """`created`, `updated`, `replaced`, `kept`, or `used` for what the user named."""


@dataclass(frozen=True)
class Since:
    """What is different from the report before; `when` is its time, empty if there is none."""

    when: str = ""
    broken: tuple[str, ...] = ()
    """The checks that passed then and do not now."""
    repaired: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    """The resources that it did not have, by name and id."""
    removed: tuple[str, ...] = ()

    def describe(self) -> tuple[str, ...]:
        """Describe each kind of change in one line; nothing if there is none."""
        parts = {"no longer pass": self.broken, "pass again": self.repaired, "new": self.added, "gone": self.removed}
        return tuple(f"{what}: {', '.join(names)}" for what, names in parts.items() if names)


@dataclass(frozen=True)
class Report:
    """The verification report of a deployment at one moment."""

    deployment: str
    region: str
    mode: str
    assistant_url: str
    resources: tuple[ResourceResult, ...]
    findings: tuple[Finding, ...]
    timestamp: str = ""
    since: Since = Since()

    @property
    def verified(self) -> bool:
        """Say if every required check passed."""
        return is_complete(self.findings)

    @property
    def overall_status(self) -> str:
        return "verified" if self.verified else "not verified"

    @property
    def assistant_at(self) -> str:
        """Say where the assistant runs; only on the instance does it have a health path."""
        return "the instance" if any(finding.check == "service.assistant" for finding in self.findings) else "AgentCore Runtime"

    @property
    def hops(self) -> dict[str, tuple[bool, bool]]:
        """Pair what was proven of each hop from here and from where the assistant runs."""
        from_assistant = prove_hops_from_assistant(self.findings)
        return {hop: (works, from_assistant[hop]) for hop, works in prove_hops(self.findings).items()}

    @cached_property
    def causes(self) -> tuple[Cause, ...]:
        """List what is behind everything that did not pass, each cause once."""
        return find_causes(self.findings)

    def summarize(self) -> VerificationReport:
        """Return the report in the mission's form: a result for each component, for each hop, and recommendations."""
        components = dict.fromkeys(_component(finding) for finding in self.findings)
        return VerificationReport(
            timestamp=clock.parse(self.timestamp) if self.timestamp else clock.now(),
            overall_status=self.overall_status,
            component_results=tuple(self._judge_component(name) for name in components),
            connectivity_tests=prove_hops(self.findings),
            connectivity_from_assistant=prove_hops_from_assistant(self.findings),
            recommendations=tuple(f"{cause.problem.what} {cause.problem.do[0]}" for cause in self.causes),
        )

    def _judge_component(self, name: str) -> SetupResult:
        findings = [finding for finding in self.findings if _component(finding) == name]
        open_findings = [finding for finding in findings if finding.status != "passed"]
        required = [finding for finding in open_findings if finding.required]
        return SetupResult(
            success=not required,
            component=name,
            message="; ".join(finding.what for finding in open_findings or findings),
            details={finding.check: finding.status for finding in findings},
            next_steps=tuple(dict.fromkeys(finding.problem.do[0] for finding in open_findings if finding.problem)),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "deployment": self.deployment,
            "region": self.region,
            "mode": self.mode,
            "assistant_url": self.assistant_url,
            **self.summarize().model_dump(mode="json"),
            "timestamp": self.timestamp or clock.stamp(),
            "causes": [_cause_json(cause) for cause in self.causes],
            "since": asdict(self.since),
            "resources": [vars(made) for made in self.resources],
            "findings": [finding.to_json() for finding in self.findings],
        }

    def json(self) -> str:
        """Render the report for programs."""
        return json.dumps(self.to_json(), indent=2) + "\n"


def _component(finding: Finding) -> str:
    head, _, rest = finding.check.partition(".")
    return {"service": rest, "endpoint": "front door", "certificate": "front door", "token": "login", "access": "login"}.get(head, head)


def _cause_json(cause: Cause) -> dict[str, Any]:
    return {"hop": cause.hop, "checks": list(cause.checks), "required": cause.required, "problem": cause.problem.to_json()}


def compare_reports(before: Mapping[str, Any] | None, findings: tuple[Finding, ...], resources: tuple[ResourceResult, ...]) -> Since:
    """Compare with the document of the report before; one that is damaged counts as none (pure)."""
    try:
        passed = {entry["check"] for entry in before["findings"] if entry["status"] == "passed"} if before else set()
        known = {entry["check"] for entry in before["findings"]} if before else set()
        had = {f"{entry['name']} {entry['id']}" for entry in before["resources"] if entry["how"] != "deleted"} if before else set()
        when = str(before["timestamp"]) if before else ""
    except (KeyError, TypeError):
        return Since()
    if not when:
        return Since()
    passes = {finding.check: finding.status == "passed" for finding in findings if finding.check in known}
    has = [f"{made.name} {made.id}" for made in resources if made.how != "deleted"]
    return Since(
        when,
        tuple(check for check, holds in passes.items() if not holds and check in passed),
        tuple(check for check, holds in passes.items() if holds and check not in passed),
        tuple(name for name in has if name not in had),
        tuple(sorted(had - set(has))),
    )

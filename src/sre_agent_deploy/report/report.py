"""The verification report: what was deployed and what was proven, as JSON and Markdown (requirement 4.5)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sre_agent_deploy.checks.check import Finding, Status, count_findings, is_complete
from sre_core import atomic_file, clock
from sre_core.state_folder import state_folder


@dataclass(frozen=True)
class ResourceResult:
    """One resource of the deployment, as the journal records it."""

    name: str
    kind: str
    id: str
    how: str
    """`created`, `updated`, `replaced`, `kept`, or `used` for what the user named."""


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

    @property
    def verified(self) -> bool:
        """Say if every required check passed."""
        return is_complete(self.findings)

    def to_json(self) -> dict[str, Any]:
        return {
            "deployment": self.deployment,
            "region": self.region,
            "mode": self.mode,
            "timestamp": self.timestamp or clock.stamp(),
            "overall_status": "verified" if self.verified else "not verified",
            "assistant_url": self.assistant_url,
            "resources": [vars(made) for made in self.resources],
            "findings": [finding.to_json() for finding in self.findings],
        }

    def json(self) -> str:
        """Render the report for programs."""
        return json.dumps(self.to_json(), indent=2) + "\n"

    def markdown(self) -> str:
        """Render the report for people: verdict first, then failures, then every check and resource."""
        head = [
            f"# Deployment {self.deployment}: {'verified' if self.verified else 'NOT verified'}",
            "",
            f"{self.mode} mode, region {self.region}, {self.timestamp or clock.stamp()}. "
            f"{count_findings(self.findings)}. Assistant: <{self.assistant_url}>",
            "",
        ]
        explained = [*self._explain("What failed", "failed"), *self._explain("What was not tried", "unknown")]
        return "\n".join([*head, *explained, *self._checks(), *self._resources()]) + "\n"

    def _explain(self, title: str, status: Status) -> list[str]:
        explained = [finding for finding in self.findings if finding.problem and finding.status == status]
        lines = [f"## {title}", ""] if explained else []
        for finding in explained:
            lines += [f"### {finding.check}", "", "```", str(finding.problem), "```", ""]
        return lines

    def _checks(self) -> list[str]:
        rows = [
            f"| {finding.check} | {finding.status} | {_cell(finding.what)} | {', '.join(finding.requirements)} | {finding.seconds:.2f} s |"
            for finding in self.findings
        ]
        return ["## Checks", "", "| check | status | seen | requirements | took |", "| --- | --- | --- | --- | --- |", *rows, ""]

    def _resources(self) -> list[str]:
        rows = [f"| {made.name} | {made.kind} | `{made.id}` | {made.how} |" for made in self.resources]
        return ["## Resources", "", "| resource | type | id | |", "| --- | --- | --- | --- |", *rows]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


@dataclass(frozen=True)
class ReportPaths:
    """The files of one report."""

    json: Path
    markdown: Path


def write_report(report: Report) -> ReportPaths:
    """Write a report as JSON and Markdown, in place of the last one of its deployment."""
    folder = state_folder() / "reports" / report.deployment
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    paths = ReportPaths(folder / "verification.json", folder / "verification.md")
    atomic_file.write(paths.json, report.json().encode())
    atomic_file.write(paths.markdown, report.markdown().encode())
    return paths

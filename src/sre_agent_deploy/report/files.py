"""Where reports are kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sre_agent_deploy.report.report import Report
from sre_core.state_folder import state_folder


@dataclass(frozen=True)
class Paths:
    """The files of one report."""

    json: Path
    markdown: Path


def write(report: Report) -> Paths:
    """Write a report as JSON and Markdown, over the last one of its deployment."""
    folder = state_folder() / "reports" / report.deployment
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    paths = Paths(folder / "verification.json", folder / "verification.md")
    paths.json.write_text(report.json(), encoding="utf-8")
    paths.markdown.write_text(report.markdown(), encoding="utf-8")
    return paths

"""Render a verification report as Markdown for people and as JUnit for a pipeline, and write it in every form."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

from sre_agent_deploy.checks.check import Finding, count_findings
from sre_agent_deploy.report import html
from sre_agent_deploy.report.causes import Cause
from sre_agent_deploy.report.report import Report
from sre_core import atomic_file, clock
from sre_core.state_folder import state_folder

_WORDS = {True: "works", False: "NOT proven"}


def markdown(report: Report) -> str:
    """Render the report for people: the verdict, what to do first, then every hop, check and resource."""
    head = [
        f"# Deployment {report.deployment}: {'verified' if report.verified else 'NOT verified'}",
        "",
        f"{report.mode} mode, region {report.region}, {report.timestamp or clock.stamp()}. "
        f"{count_findings(report.findings)}. Assistant: <{report.assistant_url}>",
        "",
    ]
    failed = [cause for cause in report.causes if any(finding.status == "failed" for finding in cause.found_by)]
    unseen = [cause for cause in report.causes if cause not in failed]
    parts = (
        _explain("What failed", failed),
        _explain("What was not tried", unseen),
        _list_changes(report),
        _list_hops(report),
        _list_checks(report),
        _list_resources(report),
    )
    return "\n".join([*head, *(line for part in parts for line in part)]) + "\n"


def _explain(title: str, causes: Iterable[Cause]) -> list[str]:
    lines: list[str] = []
    for cause in causes:
        hop = f" (hop: {cause.hop})" if cause.hop else ""
        lines += [f"### {cause.found_by[0].check}{hop}", "", "```", str(cause.problem), "```", ""]
        if len(cause.checks) > 1:
            lines += [f"It is the cause of {len(cause.checks)} findings: {', '.join(cause.checks)}.", ""]
    return [f"## {title}", "", *lines] if lines else []


def _list_changes(report: Report) -> list[str]:
    if not report.since.when:
        return []
    changes = report.since.describe() or ("nothing",)
    return [f"## What changed since {report.since.when}", "", *(f"- {change}" for change in changes), ""]


def _list_hops(report: Report) -> list[str]:
    rows = [f"| {hop} | {_WORDS[here]} | {_WORDS[there]} |" for hop, (here, there) in report.hops.items()]
    title = f"| hop | from here | from {report.assistant_at} |"
    return ["## Connectivity, hop by hop", "", title, "| --- | --- | --- |", *rows, ""]


def _list_checks(report: Report) -> list[str]:
    rows = [
        f"| {finding.check} | {finding.status} | {_cell(finding.what)} | {', '.join(finding.requirements)} | {finding.seconds:.2f} s |"
        for finding in report.findings
    ]
    return ["## Checks", "", "| check | status | seen | requirements | took |", "| --- | --- | --- | --- | --- |", *rows, ""]


def _list_resources(report: Report) -> list[str]:
    rows = [f"| {made.name} | {made.kind} | `{made.id}` | {made.how} |" for made in report.resources]
    return ["## Resources", "", "| resource | type | id | |", "| --- | --- | --- | --- |", *rows]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def junit(report: Report) -> str:
    """Render the report for a pipeline: a test case for each check. What was not seen and is not required counts as skipped."""
    not_passed = [finding for finding in report.findings if finding.status != "passed"]
    skipped = [finding for finding in not_passed if not finding.required]
    suite = Xml.Element(
        "testsuite",
        name=f"verification of {report.deployment}",
        tests=f"{len(report.findings)}",
        failures=f"{len(not_passed) - len(skipped)}",
        skipped=f"{len(skipped)}",
        errors="0",
        timestamp=report.timestamp or clock.stamp(),
        time=f"{sum(finding.seconds for finding in report.findings):.3f}",
    )
    for finding in report.findings:
        _add_case(suite, finding)
    suites = Xml.Element("testsuites")
    suites.append(suite)
    Xml.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + _without_controls(Xml.tostring(suites, encoding="unicode")) + "\n"


def _add_case(suite: Xml.Element, finding: Finding) -> None:
    case = Xml.SubElement(suite, "testcase", classname="verification", name=finding.check, time=f"{finding.seconds:.3f}")
    if finding.status != "passed":
        outcome = Xml.SubElement(case, "failure" if finding.required else "skipped", message=finding.what)
        outcome.text = str(finding.problem or finding.what)


def _without_controls(text: str) -> str:
    """Leave out the characters that XML 1.0 can't have: an answer's body may have any."""
    return "".join(letter for letter in text if letter in "\t\n\r" or (" " <= letter < "\ufffe" and not "\ud800" <= letter <= "\udfff"))


def read_last(deployment: str) -> Mapping[str, Any] | None:
    """Read the document of a deployment's last report; None if there is none that can be read."""
    try:
        document = json.loads((_folder(deployment) / "verification.json").read_bytes())
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def _folder(deployment: str) -> Path:
    return state_folder() / "reports" / deployment


def write_report(report: Report) -> Path:
    """Write a report in every form, in place of the last one of its deployment; return the path of the Markdown."""
    folder = _folder(report.deployment)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for suffix in (".json", ".html", ".md"):
        export_report(report, folder / f"verification{suffix}")
    return folder / "verification.md"


def export_report(report: Report, file: Path) -> None:
    """Write a report in the form that the file's suffix names. Raises KeyError for another suffix."""
    forms = {".json": Report.json, ".md": markdown, ".xml": junit, ".html": html.page}
    atomic_file.write(file, forms[file.suffix](report).encode())


SUFFIXES = (".json", ".md", ".xml", ".html")
"""The forms of a report: for programs, as Markdown, as JUnit, and as a page."""

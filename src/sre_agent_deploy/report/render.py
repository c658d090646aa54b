"""Render a verification report: Markdown for people, JUnit for a pipeline, one self-contained page for a browser.

All HTML pages have one layout and one stylesheet. To add a page, write `report/templates/NAME.html` that begins with
`{% extends "page.html" %}` and fills the blocks `content` and, if it needs one, `script`; then call
`render_page("NAME.html", title=..., **values)`. Every value is escaped. The macros of `macros.html` (`badge`, `facts`, `prose`)
and the classes of `page.css` (`card`, `stack`, `ok`, `bad`, `open`) give it the look of the others: readable at 360 px, in dark mode and on
paper. The page loads nothing: its policy forbids every request.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from xml.etree import ElementTree as Xml

from sre_agent_deploy.checks import Finding, Status, count_findings
from sre_agent_deploy.report.report import Cause, Report
from sre_core import atomic_file, clock, release
from sre_core.state_folder import state_folder

if TYPE_CHECKING:
    from jinja2 import Environment


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
    forms = {".json": Report.json, ".md": markdown, ".xml": junit, ".html": html}
    atomic_file.write(file, forms[file.suffix](report).encode())


SUFFIXES = (".json", ".md", ".xml", ".html")
"""The forms of a report: for programs, as Markdown, as JUnit, and as a page."""


type Light = Status | Literal["warning"]


@dataclass(frozen=True)
class Node:
    """One box of the architecture: its label, its place, the checks that show its status."""

    label: str
    note: str
    x: int
    y: int
    width: int
    checks: tuple[str, ...]
    status: Light = "unknown"


# Drawn for 360 pixels of width: on a phone its text is as large as the page's.
_NODES = (
    Node("Front door", "EC2, HTTPS on 443", 8, 76, 160, ("endpoint.", "certificate.")),
    Node("Amazon Cognito", "tokens", 192, 76, 160, ("token.", "access.")),
    Node(
        "Assistant", "EC2", 8, 158, 160, ("service.assistant", "assistant.no", "assistant.e", "assistant.w", "assistant.i", "assistant.h")
    ),
    Node("Language model", "or rules", 192, 158, 160, ("assistant.model",)),
    Node("AgentCore Gateway", "MCP, with a token", 8, 240, 160, ("gateway.no", "gateway.e", "gateway.w", "gateway.tools_listed")),
    Node("Targets", "OpenAPI in Amazon S3", 192, 240, 160, ("gateway.tools_",)),
)
_EDGES = ((180, 44, 88, 76), (180, 44, 272, 76), (88, 130, 88, 158), (168, 185, 192, 185), (88, 212, 88, 240), (168, 267, 192, 267))


@dataclass(frozen=True)
class Row:
    """The checks of one requirement."""

    number: str
    findings: tuple[Finding, ...]


def html(report: Report) -> str:
    """Render the page."""
    nodes = tuple(_with_status(node, report.findings) for node in (*_NODES, *_backends()))
    certificate = next((finding.values for finding in report.findings if finding.check == "certificate.lasts"), {})
    return render_page(
        "report.html",
        title=f"{report.deployment}: {report.overall_status}",
        report=report,
        when=report.timestamp or clock.stamp(),
        counts=count_findings(report.findings),
        hops=report.hops,
        nodes=nodes,
        edges=(*_EDGES, *((272, 294, node.x + node.width // 2, 326) for node in _backends())),
        description=", ".join(f"{node.label}: {_LIGHTS[node.status]}" for node in nodes),
        words=_LIGHTS,
        looks=_LOOKS,
        rows=group_by_requirement(report.findings),
        slowest=max((finding.seconds for finding in report.findings), default=0.0),
        certificate=certificate,
    )


_LIGHTS: dict[Light, str] = {"passed": "✓ works", "failed": "✗ failed", "unknown": "? not seen", "warning": "! warning"}
_LOOKS: dict[Light, str] = {"passed": "ok", "failed": "bad", "unknown": "open", "warning": "open"}


def _backends() -> tuple[Node, ...]:
    names = [service.name for service in release.backends()]
    return tuple(Node(name.capitalize(), "", 8 + 87 * index, 326, 83, (f"service.{name}", f"{name}.")) for index, name in enumerate(names))


def _with_status(node: Node, findings: Sequence[Finding]) -> Node:
    own = [finding for finding in findings if finding.check.startswith(node.checks)]
    return Node(node.label, node.note, node.x, node.y, node.width, node.checks, _worst(own))


def _worst(findings: Sequence[Finding]) -> Light:
    statuses = {finding.status for finding in findings if finding.required} or {finding.status for finding in findings}
    if "failed" in statuses:
        return "failed"
    if statuses != {"passed"}:
        return "unknown"
    return "warning" if any(finding.status == "failed" for finding in findings) else "passed"


def group_by_requirement(findings: Sequence[Finding]) -> tuple[Row, ...]:
    """List the checks of each requirement, by its number. A check that covers several is in each."""
    numbers = sorted({number for finding in findings for number in finding.requirements})
    return tuple(Row(number, tuple(finding for finding in findings if number in finding.requirements)) for number in numbers)


_TEMPLATES = Path(__file__).parent / "templates"


def render_page(template: str, **values: Any) -> str:
    """Render a template of this folder with its values. Raises UndefinedError where the template names a value that is missing."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(_TEMPLATES)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)

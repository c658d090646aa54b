"""Render self-contained HTML pages, with one layout and one stylesheet for all; first of all the page of a verification report.

To add a page, write `report/templates/NAME.html` that begins with `{% extends "page.html" %}` and fills the blocks `content` and, if
it needs one, `script`; then call `render_page("NAME.html", title=..., **values)`. Every value is escaped. The macros of
`macros.html` (`badge`, `facts`, `prose`, `command`) and the classes of `page.css` (`card`, `stack`, `ok`, `bad`, `open`) give it the look
of the others: readable at 360 px, in dark mode and on paper. The page loads nothing: its policy forbids every request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sre_agent_deploy.checks.check import Finding, Status, count_findings
from sre_agent_deploy.report.report import Report
from sre_core import clock, release

if TYPE_CHECKING:
    from jinja2 import Environment

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


def page(report: Report) -> str:
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
        description=", ".join(f"{node.label}: {_WORDS[node.status]}" for node in nodes),
        words=_WORDS,
        looks=_LOOKS,
        rows=group_by_requirement(report.findings),
        slowest=max((finding.seconds for finding in report.findings), default=0.0),
        certificate=certificate,
    )


_WORDS: dict[Light, str] = {"passed": "✓ works", "failed": "✗ failed", "unknown": "? not seen", "warning": "! warning"}
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

"""How preflight's findings look, and whether they let a deployment go on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from sre_agent_deploy.cli.render import show_problems

if TYPE_CHECKING:
    from sre_agent_deploy.checks.check import Finding

_SIGNS = {"passed": "ok  ", "failed": "FAIL", "unknown": "?   "}


def show_findings(findings: Sequence[Finding], *, as_json: bool, every: bool = False) -> bool:
    """Show what preflight came to (`every` check, or what is not well), and answer whether nothing required failed."""
    from sre_agent_deploy.checks.preflight.suite import stops_deployment

    if as_json:
        click.echo(json.dumps({"preflight": [finding.to_json() for finding in findings]}))
        return not stops_deployment(findings)
    for finding in findings if every else ():
        click.echo(f"  {_SIGNS[finding.status]} {finding.check:24} {finding.what}")
    passed = sum(finding.status == "passed" for finding in findings)
    click.echo(f"Preflight: {passed} of {len(findings)} checks passed{'' if passed == len(findings) else ', see below'}.")
    show_problems(finding.problem for finding in findings if finding.problem and finding.status != "passed")
    return not stops_deployment(findings)

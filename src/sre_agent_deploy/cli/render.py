"""Render problems, changes, findings, reports and events: as text for people, as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from sre_agent_deploy.progress import Event
from sre_core import clock
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.checks import Finding
    from sre_agent_deploy.commands.sweep import Verdict, Verdicts
    from sre_agent_deploy.costs import Estimate
    from sre_agent_deploy.deployment_tags import Lifetime
    from sre_agent_deploy.engine.inventory import Inventory
    from sre_agent_deploy.plan import Plan
    from sre_agent_deploy.report.report import Cause, Report

_COLOURS = {"create": "green", "update": "yellow", "replace": "magenta", "delete": "red", "keep": None}
_SIGNS = {"create": "+", "update": "~", "replace": "±", "delete": "-", "keep": "="}
_STEP_SIGNS = {"done": "ok  ", "failed": "FAIL", "unknown": "?   ", "stopped": "stop", "waiting": "... ", "started": "    "}
_FINDING_SIGNS = {"passed": "ok  ", "failed": "FAIL", "unknown": "?   "}


def show_problems(problems: Iterable[Problem], *, as_json: bool = False) -> None:
    """Show problems: to people on stderr, equal ones together; to programs as JSON on stdout, each of them once."""
    problems = problems if as_json else merge_equal(problems)
    for text in dict.fromkeys(json.dumps({"problem": problem.to_json()}) if as_json else _with_page(problem) for problem in problems):
        click.echo(text if as_json else f"\n{text}", err=not as_json)


def merge_equal(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Merge the problems that differ only in context and request id: one dead instance can fail many checks (pure)."""
    alike: dict[object, list[Problem]] = {}
    for problem in problems:
        alike.setdefault(str(replace(problem, context={}, request_id=None)), []).append(problem)
    return tuple(
        replace(group[0], context=_contexts(group), request_id=_join_distinct(p.request_id for p in group) or None)
        for group in alike.values()
    )


def _contexts(group: list[Problem]) -> dict[str, str]:
    keys = dict.fromkeys(key for problem in group for key in problem.context)
    return {key: _join_distinct(problem.context.get(key) for problem in group) for key in keys}


def _join_distinct(values: Iterable[str | None]) -> str:
    return ", ".join(dict.fromkeys(value for value in values if value))


def render_estimate(estimate: Estimate) -> str:
    """Render what a deployment costs: what is charged by the month, then what is charged by use."""
    from sre_agent_deploy.costs import PRICED

    if not estimate.lines:
        return "Local mode costs nothing: everything runs on this machine."
    rows = [f"{line.usd:9.2f}  {line.count} x {line.what} at {line.each:.2f}: {line.why}" for line in estimate.lines]
    uses = [f"  {use.what}: {use.price}" for use in estimate.usage]
    lacking = f" without {', '.join(estimate.unknown)}" if estimate.unknown else ""
    total = f"{estimate.month:9.2f}  together{lacking}"
    return "\n".join((f"US dollars a month ({PRICED}):", "", *rows, total, "", "And by use:", *uses))


def _with_page(problem: Problem) -> str:
    return f"{problem}\n  more: sre-agent-deploy explain {problem.code}"


def show_plan(plan: Plan, *, as_json: bool = False, every: bool = False) -> None:
    """Show every change with its reason; what stays as it is only with `every`, or as JSON."""
    from sre_agent_deploy import deployment_tags

    if as_json:
        changes, temporary = [change.to_json() for change in plan.changes], deployment_tags.planned_lifetime(plan)
        ends = {"expires_at": clock.stamp(temporary.ends)} if temporary else {}
        click.echo(json.dumps({"deployment": plan.deployment, "changes": changes, **ends}))
        return
    click.echo(f"Plan for deployment {plan.deployment}:")
    for change in (change for change in plan.changes if every or change.action != "keep" or change.named or change.previous):
        lost = f"  (loses {change.loses})" if change.loses and change.action in ("replace", "delete") else ""
        sign = click.style(f"{_SIGNS[change.action]} {change.action:8}", fg=_COLOURS[change.action])
        click.echo(f"  {sign}{change.name:26} {change.because}{lost}")
        for difference in change.differences:
            click.echo(f"      {difference}")
    count = plan.count()
    click.echo("  " + ", ".join(f"{number} to {action}" for action, number in count.items() if number))
    if not every and count["keep"]:  # type: ignore[index]  # an Action is its text
        click.echo("  What stays is not listed; `plan -v` lists it.")
    for extra in plan.extras:
        click.echo(f"  {click.style('! extra   ', fg='red')}{extra.what}")
    if plan.problems:
        click.echo("  This is not all: what the problems are about is missing, and what depends on it may change less than shown here.")
    show_lifetime(deployment_tags.planned_lifetime(plan))


def show_lifetime(found: Lifetime | None) -> None:
    """Show people when a temporary deployment may be swept; nothing for one that stays."""
    if found:
        click.secho(found.describe(clock.now()), fg="red" if found.ends <= clock.now() else "yellow")


def show_report(report: Report, *, as_json: bool = False, quiet: bool = False) -> None:
    """Show the verdict and what a complete deployment lacks; with `quiet` only that. The whole report is in its files."""
    from sre_agent_deploy.checks import count_findings

    if as_json:
        click.echo(json.dumps({"report": report.to_json()}))
        return
    verdict = click.style("verified", fg="green") if report.verified else click.style("NOT verified", fg="red")
    if not quiet:
        click.echo(f"\nDeployment {report.deployment} is {verdict}: {count_findings(report.findings)}.")
        for change in report.since.describe():
            click.echo(f"  since {report.since.when}: {change}")
    for cause in (cause for cause in report.causes if cause.required):
        show_problems((cause.problem.with_context(**_extent(cause)),))


def _extent(cause: Cause) -> dict[str, str]:
    """Say at which hop a cause is, and how many findings it explains."""
    hop = {"hop": cause.hop} if cause.hop else {}
    return hop | ({"findings": f"{len(cause.checks)}: {', '.join(cause.checks)}"} if len(cause.checks) > 1 else {})


def show_findings(findings: Sequence[Finding], *, as_json: bool, every: bool = False, quiet: bool = False) -> None:
    """Show what preflight found: with `every` a line for each check, else what did not pass; with `quiet` only the problems."""
    if as_json:
        click.echo(json.dumps({"preflight": [finding.to_json() for finding in findings]}))
        return
    for finding in findings if every else ():
        click.echo(f"  {_FINDING_SIGNS[finding.status]} {finding.check:24} {finding.what}")
    passed = sum(finding.status == "passed" for finding in findings)
    if not quiet:
        click.echo(f"Preflight: {passed} of {len(findings)} checks passed{'' if passed == len(findings) else ', see below'}.")
    show_problems(finding.problem for finding in findings if finding.problem and finding.status != "passed")


def show_inventory(found: Inventory) -> None:
    """Show each resource that a cleanup would delete."""
    for entry in found.entries:
        click.echo(f"  - {entry}")


def show_verdicts(found: Verdicts, *, as_json: bool) -> None:
    """Show what a sweep does to each deployment of an account and region, and why."""
    if as_json:
        verdicts = [verdict.to_json() for verdict in found.verdicts]
        click.echo(json.dumps({"account": found.account, "region": found.region, "deployments": verdicts}))
        return
    click.echo(f"Account {found.account}, region {found.region}: {count(len(found.verdicts), 'deployment')}.")
    for verdict in found.verdicts:
        click.echo(f"  {_verdict_row(verdict)}")


def _verdict_row(verdict: Verdict) -> str:
    from sre_core import duration

    action = "delete" if verdict.delete else "keep"
    age = f"{duration.format_roughly(verdict.age)} old" if verdict.age is not None else "age unknown"
    ttl = f"ttl {verdict.ttl}" if verdict.ttl else "no ttl"
    return f"{action:7} {verdict.deployment}  {age:11}  {ttl:8}  {count(verdict.resources, 'resource'):12}  {verdict.because}"


def count(number: int, what: str) -> str:
    """Spell a number of things."""
    return f"{number or 'no'} {what}{'s' if number != 1 else ''}"


def event_line(event: Event) -> str:
    """Describe an event in one line."""
    took = f"  ({event.seconds:.1f} s)" if event.ended else ""
    return f"  {_STEP_SIGNS[event.step]} {event.name:28} {event.what}{until(event)}{took}"


def until(event: Event) -> str:
    """Say when the wait of an event gives up."""
    return f", gives up at {event.wait.until.astimezone():%H:%M:%S}" if event.wait else ""

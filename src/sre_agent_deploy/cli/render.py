"""How changes, events, findings and problems look: on a terminal, in a plain log, as JSON lines."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from sre_agent_deploy.progress.events import Event, Observer
from sre_core import clock
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.lifetime import Lifetime
    from sre_agent_deploy.plan import Plan
    from sre_agent_deploy.report.report import Report

_COLOURS = {"create": "green", "update": "yellow", "replace": "magenta", "delete": "red", "keep": None}
_SIGNS = {"create": "+", "update": "~", "replace": "±", "delete": "-", "keep": "="}


def show_problems(problems: Iterable[Problem], *, as_json: bool = False) -> None:
    """Problems go to stderr for people, what is the same of several told once; to stdout as JSON for programs, each one once."""
    problems = problems if as_json else together(problems)
    for text in dict.fromkeys(json.dumps({"problem": problem.to_json()}) if as_json else _told(problem) for problem in problems):
        click.echo(text if as_json else f"\n{text}", err=not as_json)


def together(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """One problem for all that differ only in what they befell: of a dead machine is told once what it did not answer (pure)."""
    alike: dict[object, list[Problem]] = {}
    for problem in problems:
        alike.setdefault(str(replace(problem, context={}, request_id=None)), []).append(problem)
    return tuple(
        replace(group[0], context=_contexts(group), request_id=_listed(p.request_id for p in group) or None) for group in alike.values()
    )


def _contexts(group: list[Problem]) -> dict[str, str]:
    keys = dict.fromkeys(key for problem in group for key in problem.context)
    return {key: _listed(problem.context.get(key) for problem in group) for key in keys}


def _listed(values: Iterable[str | None]) -> str:
    return ", ".join(dict.fromkeys(value for value in values if value))


def _told(problem: Problem) -> str:
    return f"{problem}\n  more: sre-agent-deploy explain {problem.code}"


def show_plan(plan: Plan, *, as_json: bool = False) -> None:
    """Every change with its reason, doing nothing included."""
    from sre_agent_deploy import lifetime

    if as_json:
        changes, temporary = [change.to_json() for change in plan.changes], lifetime.planned(plan)
        ends = {"expires_at": clock.stamp(temporary.ends)} if temporary else {}
        click.echo(json.dumps({"deployment": plan.deployment, "changes": changes, **ends}))
        return
    click.echo(f"Plan for deployment {plan.deployment}:")
    for change in plan.changes:
        lost = f"  (loses {change.loses})" if change.loses and change.action in ("replace", "delete") else ""
        sign = click.style(f"{_SIGNS[change.action]} {change.action:8}", fg=_COLOURS[change.action])
        click.echo(f"  {sign}{change.name:26} {change.because}{lost}")
        for difference in change.differences:
            click.echo(f"      {difference}")
    count = plan.count()
    click.echo("  " + ", ".join(f"{number} to {action}" for action, number in count.items() if number))
    if plan.problems:
        click.echo("  This is not all: what the problems are about is missing, and what depends on it may change less than is said here.")
    show_lifetime(lifetime.planned(plan))


def show_lifetime(found: Lifetime | None) -> None:
    """When a temporary deployment may be swept, for people; nothing of one that is to stay."""
    if found:
        click.secho(found.told(clock.now()), fg="red" if found.ends <= clock.now() else "yellow")


def show_report(report: Report, *, as_json: bool = False) -> None:
    """The verdict, and what failed; the whole report is in its files."""
    if as_json:
        click.echo(json.dumps({"report": report.to_json()}))
        return
    passed = sum(finding.status == "passed" for finding in report.findings)
    verdict = click.style("verified", fg="green") if report.verified else click.style("NOT verified", fg="red")
    click.echo(f"\nDeployment {report.deployment} is {verdict}: {passed} of {len(report.findings)} checks passed.")
    show_problems(finding.problem for finding in report.findings if finding.problem and finding.status != "passed")


def counted(number: int, what: str) -> str:
    """So many of them, in words."""
    return f"{number or 'no'} {what}{'s' if number != 1 else ''}"


@contextmanager
def observing(*, as_json: bool) -> Iterator[Observer]:
    """An observer for this output: live on a terminal, plain lines without one, JSON lines when asked."""
    if as_json:
        yield _json_lines
    elif sys.stderr.isatty():
        with _live() as observer:
            yield observer
    else:
        yield show_line


_writing = threading.Lock()


def _json_lines(event: Event) -> None:
    with _writing:
        click.echo(json.dumps(event.to_json()))


def show_line(event: Event) -> None:
    """One line on standard error for a wait or an end; a beginning alone says nothing."""
    if event.step == "started":
        return
    with _writing:
        click.echo(_line(event), err=True)


def _line(event: Event) -> str:
    sign = {"done": "ok  ", "failed": "FAIL", "waiting": "... ", "started": "    "}[event.step]
    took = f"  ({event.seconds:.1f} s)" if event.step in ("done", "failed") else ""
    return f"  {sign} {event.name:28} {event.what}{_until(event)}{took}"


def _until(event: Event) -> str:
    return f", until {event.wait.until.astimezone():%H:%M:%S}" if event.wait else ""


@contextmanager
def _live() -> Iterator[Observer]:
    """Finished steps scroll by; those under way stand below with what they wait for."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(stderr=True)
    under_way: dict[str, str] = {}
    with Live(console=console, refresh_per_second=8, transient=True) as live:

        def observe(event: Event) -> None:
            with _writing:
                if event.step in ("done", "failed"):
                    under_way.pop(event.name, None)
                    live.console.print(Text(_line(event), style="" if event.step == "done" else "red"))
                else:
                    under_way[event.name] = event.what + _until(event)
                live.update(Text("\n".join(f"  ...  {name:28} {what}" for name, what in under_way.items()), style="dim"))

        yield observe

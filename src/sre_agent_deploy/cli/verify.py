"""`verify`: prove again, against the real endpoints, that a deployment works."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from sre_agent_deploy.cli.opening import Opened, opened, remembered, say_who_works
from sre_agent_deploy.cli.options import config_option, json_option, mode_option, state_option
from sre_agent_deploy.cli.render import observing, show_plan, show_problems, show_report
from sre_agent_deploy.cli.watching import watched
from sre_core.problem import Problem, Refused


@click.command("verify", help="Prove again that a deployment works, and write the report.")
@config_option
@mode_option
@state_option
@json_option
def command(config_file: Path | None, mode: str | None, state_file: Path | None, as_json: bool) -> None:
    _, state = remembered(state_file, config_file, mode)
    if config_file is None and state:
        # What was deployed is proven; a config.yaml that happens to lie here may be of another deployment.
        config_file, mode = Path(state.config_file), mode or state.mode
    with opened(config_file, mode, state_file, start=False) as here:
        say_who_works(here.store)
        sys.exit(_verified(here, as_json=as_json))


def _verified(here: Opened, *, as_json: bool) -> int:
    from sre_agent_deploy import run
    from sre_agent_deploy.report.report import write_report

    with watched(here.place, as_json=as_json) as place:
        plan = run.planned(place, run.drawn(here.config, place, here.state), here.state)
    absent = [change.name for change in plan.changes if not change.outputs]
    if plan.problems or absent:
        show_problems(plan.problems, as_json=as_json)
        show_plan(plan, as_json=as_json)
        raise Refused(_incomplete(absent))
    world = run.reached(here.config, here.place, {change.name: change.outputs for change in plan.changes})
    with observing(as_json=as_json) as observe:
        report = run.verified(here.config, plan, world, observe)
    paths = write_report(report)
    show_report(report, as_json=as_json)
    if not as_json:
        click.echo(f"Report: {paths.markdown}")
    return 0 if report.verified else 1


def _incomplete(absent: list[str]) -> Problem:
    return Problem(
        code="VERIFY-INCOMPLETE",
        what="The deployment is not complete, so it can't be verified.",
        why=f"AWS does not have: {', '.join(absent)}." if absent else "The plan has problems; they are above.",
        do=("Finish it: `sre-agent-deploy resume`, or `deploy`.", "Then run `sre-agent-deploy verify` again."),
    )

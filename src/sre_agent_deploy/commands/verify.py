"""`verify`: prove, against the real endpoints, that a deployment works. `deploy` ends with the same proof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sre_agent_deploy import connection
from sre_agent_deploy.account.account import Account
from sre_agent_deploy.checks.check import run_checks
from sre_agent_deploy.checks.verification.endpoint_client import Endpoints
from sre_agent_deploy.checks.verification.suite import verification_checks
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.plan import draw_blueprint, plan_deployment
from sre_agent_deploy.commands.user import UNATTENDED, CommandResult, User
from sre_agent_deploy.commands.workspace import Workspace, find_state, open_workspace, warn_if_locked, watch
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.journal.journal import Journal
from sre_agent_deploy.later import Outputs
from sre_agent_deploy.plan import Action, Change, Plan
from sre_agent_deploy.progress.events import Observer
from sre_agent_deploy.report.report import Report, ResourceResult, write_report
from sre_core import clock
from sre_core.file_error import file_problem
from sre_core.problem import Problem, Refused
from sre_core.state_folder import state_folder

_MOST_NAMED = 3
_DONE = {"create": "created", "update": "updated", "replace": "replaced", "keep": "kept", "delete": "deleted"}


def verify(request: Request, user: User = UNATTENDED) -> CommandResult:
    """Check that every resource is there, then run every verification check and keep the report."""
    with open_workspace(find_state(request).of_deployed(), user, start=False) as here:
        warn_if_locked(here.store, user)
        plan = _plan_complete(here, user)
        endpoints = find_endpoints(here.config, here.account, {change.name: change.outputs for change in plan.changes})
        report = prove(here.config, plan, endpoints, user)
        file = keep_report(report, user)
    details = {"report_file": str(file)} if file else {}
    message = f"Report: {file}" if file else ""
    return CommandResult(success=report.verified and file is not None, component="deployment", message=message, details=details)


def _plan_complete(here: Workspace, user: User) -> Plan:
    """Plan the deployment. Raises Refused if AWS lacks a part of it."""
    with watch(here.account, user) as account:
        plan = plan_deployment(account, draw_blueprint(here.config, account, here.state, here.store.location), here.state)
    absent = [change.name for change in plan.changes if not change.outputs]
    if plan.problems or absent:
        user.show_problems(plan.problems)
        user.show_plan(plan)
        raise Refused(_incomplete(absent))
    return plan


def prove(config: Config, plan: Plan, endpoints: Endpoints, user: User) -> Report:
    """Run every verification check and show the report."""
    with user.progress() as observe:
        report = make_report(config, plan, endpoints, observe)
    user.show_report(report)
    return report


def keep_report(report: Report, user: User) -> Path | None:
    """Write the report to its files. If they can't be written, show it whole: it is nowhere else."""
    try:
        return write_report(report).markdown
    except OSError as error:
        problem = file_problem(error)
        if problem is None:
            raise
        user.note(report.markdown())
        user.show_problems((problem,))
        return None


def make_report(config: Config, plan: Plan, endpoints: Endpoints, observe: Observer) -> Report:
    """Run every verification check and report the findings."""
    findings = run_checks(verification_checks(), endpoints, observe)
    made = tuple(
        ResourceResult(change.name, change.kind, change.id, "used" if change.named else _DONE[change.action]) for change in plan.changes
    )
    return Report(plan.deployment, config.aws.region, config.mode, endpoints.base_url, made, findings, clock.stamp())


def find_endpoints(config: Config, account: Account, outputs: Mapping[str, Outputs]) -> Endpoints:
    """Find out, from what AWS answered, how users reach the deployment."""
    local_ca = str(state_folder() / "local-ca" / "ca.pem") if config.tls.source == "local_ca" else ""
    private_ca = local_ca or config.deployment.ssl_ca_path
    return connection.build_endpoints(outputs, account, domain=config.deployment.domain_name, private_ca=private_ca)


def fill_in_ids(plan: Plan, journal: Journal) -> Plan:
    """Fill in the ids of what the run created, for the report."""

    def fill_in(change: Change) -> Change:
        # What is deleted because a newer generation replaced it has the same name, and an id of its own.
        generation = change.next_generation if change.action is Action.REPLACE else change.generation
        record = journal.state.records.get(f"{change.name}-{generation}")
        return replace(change, id=record.id) if record and record.id else change

    return replace(plan, changes=tuple(map(fill_in, plan.changes)))


def _describe_absent(absent: list[str]) -> str:
    if len(absent) <= _MOST_NAMED:
        return f"AWS does not have: {', '.join(absent)}."
    return f"AWS does not have {len(absent)} of its resources; the plan above names them."


def _incomplete(absent: list[str]) -> Problem:
    return Problem(
        code="VERIFY-INCOMPLETE",
        what="The deployment is not complete, so it can't be verified.",
        why=_describe_absent(absent) if absent else "The plan has problems; they are above.",
        do=("Finish it: `sre-agent-deploy resume`, or `deploy`.", "Then run `sre-agent-deploy verify` again."),
    )

"""`verify`: prove, against the real endpoints, that a deployment works. `deploy` ends with the same proof."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from sre_agent_deploy import connection
from sre_agent_deploy.account.account import Account
from sre_agent_deploy.alarms import TOPIC
from sre_agent_deploy.checks import run_checks
from sre_agent_deploy.checks.suite import verification_checks
from sre_agent_deploy.checks.verification.endpoint_client import Endpoints
from sre_agent_deploy.checks.verification.services import health_checks
from sre_agent_deploy.checks.verification.traces import TraceReader
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.alarms import warn_of_unconfirmed
from sre_agent_deploy.commands.plan import draw_blueprint, plan_deployment
from sre_agent_deploy.commands.user import UNATTENDED, CommandResult, User
from sre_agent_deploy.commands.workspace import Workspace, find_state, hold_state, open_workspace, warn_if_locked, watch
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.config.operations import XRAY
from sre_agent_deploy.journal import Journal
from sre_agent_deploy.later import Outputs
from sre_agent_deploy.plan import Action, Change, Plan
from sre_agent_deploy.progress import Observer, was_interrupted
from sre_agent_deploy.report.render import SUFFIXES, export_report, markdown, read_last, write_report
from sre_agent_deploy.report.report import Report, ResourceResult, compare_reports
from sre_agent_deploy.tls import local_ca
from sre_core import clock
from sre_core.file_error import file_problem
from sre_core.problem import Problem, Refused

_MOST_NAMED = 3
# A boot of Amazon Linux takes about half a minute.
_STARTED_WITHIN = 180.0
_DONE = {"create": "created", "update": "updated", "replace": "replaced", "keep": "kept", "delete": "deleted"}


def verify(request: Request, user: User = UNATTENDED, *, files: Sequence[Path] = (), record: bool = True) -> CommandResult:
    """Check that every resource is there, then run every verification check and keep the report, also in `files`.

    `record` writes the time of a verification that passed into the state.
    """
    refuse_other_forms(files)
    with open_workspace(find_state(request).of_deployed(), user, start=False) as here:
        warn_if_locked(here.store, user)
        plan = plan_complete(here, user, _incomplete)
        endpoints = find_endpoints(here.config, here.account, plan.outputs())
        report = prove(here.config, plan, endpoints, user)
        warn_of_unconfirmed(here.account.aws, plan.outputs().get(TOPIC, {}).get("topic_arn", ""), user)
        file = keep_report(report, user, files)
        if report.verified and record:
            _record_verification(here, user)
    details = {"report_file": str(file)} if file else {}
    message = f"Report: {file}, and as a page: {file.with_suffix('.html')}" if file else ""
    return CommandResult(success=report.verified and file is not None, component="deployment", message=message, details=details)


def _record_verification(here: Workspace, user: User) -> None:
    """Record the time in the state. A state that can't be written, or that another run has locked, makes no deployment unverified."""
    try:
        with hold_state(here.store, here.account, "verify"):
            current = here.reload_state().state
            if current:
                # The serial stays: nothing that a saved plan was made from has changed.
                here.store.save(replace(current, verified_at=clock.stamp()))
    except Refused as refused:
        user.warn(f"The time of this verification was not recorded. {refused.problems[0].what}")


def refuse_other_forms(files: Sequence[Path]) -> None:
    """Raise Refused if a file's suffix names no form of a report."""
    for file in (file for file in files if file.suffix not in SUFFIXES):
        raise Refused(_other_form(file))


def watch_deployment(request: Request, user: User, every: timedelta, *, files: Sequence[Path] = ()) -> Iterator[CommandResult]:
    """Verify again and again, with a pause after each; what is refused is shown, and tried again. A stop of the user's ends it."""
    while True:
        try:
            yield verify(request, user, files=files, record=False)
        except Refused as refused:
            if was_interrupted(refused.problems):
                raise
            user.show_problems(refused.problems)
            yield CommandResult(success=False, component="deployment", message="", problems=refused.problems)
        time.sleep(every.total_seconds())


def plan_complete(here: Workspace, user: User, incomplete: Callable[[str], Problem]) -> Plan:
    """Plan the deployment. Raises Refused with the problem that `incomplete` builds from the reason, if AWS lacks a part of it."""
    with watch(here.account, user) as account:
        plan = plan_deployment(account, draw_blueprint(here.config, account, here.state, here.store.location), here.state)
    absent = [change.name for change in plan.changes if change.action is Action.CREATE]
    if plan.problems or absent:
        user.show_problems(plan.problems)
        user.show_plan(plan)
        raise Refused(incomplete(_describe_absent(absent)))
    return plan


def prove(config: Config, plan: Plan, endpoints: Endpoints, user: User) -> Report:
    """Run every verification check and show the report."""
    with user.progress() as observe:
        report = make_report(config, plan, endpoints, observe)
    user.show_report(report)
    return report


def wait_until_started(config: Config, endpoints: Endpoints, user: User) -> None:
    """Wait until a machine that was started again serves: EC2 calls it running before its services are.

    What does not answer to the end is reported by the verification.
    """
    user.note(f"Waiting until the machine that was started serves (at most {_STARTED_WITHIN:.0f} s).")
    checks, deadline = health_checks(on_runtime=config.assistant.on_runtime), clock.elapsed() + _STARTED_WITHIN
    while any(finding.status != "passed" for finding in run_checks(checks, endpoints)) and clock.elapsed() < deadline:
        time.sleep(1)


def keep_report(report: Report, user: User, files: Sequence[Path] = ()) -> Path | None:
    """Write the report to its own files and to others. If one can't be written, show the report whole: it is nowhere else."""
    try:
        kept = write_report(report)
        for file in files:
            export_report(report, file)
    except OSError as error:
        problem = file_problem(error)
        if problem is None:
            raise
        user.note(markdown(report))
        user.show_problems((problem,))
        return None
    return kept


def make_report(config: Config, plan: Plan, endpoints: Endpoints, observe: Observer) -> Report:
    """Run every verification check and report the findings."""
    custom_domain = bool(endpoints.custom_domain and endpoints.public_names)
    traced, ipv6 = bool(config.monitoring.traces), bool(endpoints.ipv6_address)
    checks = verification_checks(
        on_runtime=config.assistant.on_runtime,
        custom_domain=custom_domain,
        traced=traced,
        in_xray=endpoints.traces is not None,
        ipv6=ipv6,
    )
    findings = run_checks(checks, endpoints, observe)
    made = tuple(
        ResourceResult(change.name, change.kind, change.id, "used" if change.named else _DONE[change.action]) for change in plan.changes
    )
    since = compare_reports(read_last(plan.deployment), findings, made)
    return Report(plan.deployment, config.aws.region, config.mode, endpoints.assistant_url, made, findings, clock.stamp(), since)


def find_endpoints(config: Config, account: Account, outputs: Mapping[str, Outputs]) -> Endpoints:
    """Find out, from what AWS answered, how users reach the deployment."""
    found = connection.build_endpoints(outputs, account, domain=config.deployment.domain_name, private_ca=find_private_ca(config))
    # On AgentCore Runtime the assistant sends nothing to X-Ray, so that no trace begins with it.
    in_xray = config.monitoring.traces == XRAY and not config.assistant.on_runtime
    return replace(found, certificate_source=config.tls.source, traces=TraceReader(account.aws) if in_xray else None)


def find_private_ca(config: Config) -> tuple[str, ...]:
    """Return the files of the certificate authorities that only this deployment's clients know; none if they are public."""
    if config.tls.source == "local_ca":
        return local_ca.trusted_files(local_ca.folder())
    return (config.deployment.ssl_ca_path,) if config.deployment.ssl_ca_path else ()


def fill_in_ids(plan: Plan, journal: Journal) -> Plan:
    """Fill in the ids of what the run created, for the report."""

    def fill_in(change: Change) -> Change:
        # What is deleted because a newer generation replaced it has the same name, and an id of its own.
        generation = change.next_generation if change.action is Action.REPLACE else change.generation
        record = journal.state.records.get(f"{change.name}-{generation}")
        return replace(change, id=record.id) if record and record.id else change

    return replace(plan, changes=tuple(map(fill_in, plan.changes)))


def _describe_absent(absent: list[str]) -> str:
    if not absent:
        return "The plan has problems; they are above."
    if len(absent) <= _MOST_NAMED:
        return f"AWS does not have: {', '.join(absent)}."
    return f"AWS does not have {len(absent)} of its resources; the plan above names them."


def _incomplete(why: str) -> Problem:
    return Problem(
        code="VERIFY-INCOMPLETE",
        what="The deployment is not complete, so it can't be verified.",
        why=why,
        do=("Finish it: `sre-agent-deploy resume`, or `deploy`.", "Then run `sre-agent-deploy verify` again."),
    )


def _other_form(file: Path) -> Problem:
    return Problem(
        code="REPORT-FORM",
        what=f"A report can't be written to {file}. Nothing was verified.",
        why=f"The suffix names the form of a report, and {file.suffix or 'no suffix'} names none.",
        do=(f"Use one of {', '.join(SUFFIXES)}, for example `sre-agent-deploy verify --report report.html`.",),
    )

"""A deployment from end to end, as the commands tell it: drawn, planned, applied, verified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sre_agent_deploy import connection
from sre_agent_deploy.account.account import Account, look_up_account
from sre_agent_deploy.apply import Outcome, apply
from sre_agent_deploy.blueprint import blueprint
from sre_agent_deploy.checks.check import Finding, run_checks
from sre_agent_deploy.checks.preflight.suite import run_preflight
from sre_agent_deploy.checks.verification.endpoints import Endpoints
from sre_agent_deploy.checks.verification.suite import verification_checks
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.engine.survey import plan_changes
from sre_agent_deploy.graph import Blueprint
from sre_agent_deploy.journal.journal import Journal
from sre_agent_deploy.journal.state import State
from sre_agent_deploy.journal.store import Store
from sre_agent_deploy.later import Outputs
from sre_agent_deploy.plan import Action, Change, Plan
from sre_agent_deploy.progress.events import Observer, ignore_event
from sre_agent_deploy.progress.interrupt import NEVER, Stop
from sre_agent_deploy.report.report import Report, ResourceResult
from sre_core import clock
from sre_core.problem import Problem, Refused
from sre_core.state_folder import state_folder

_DONE = {"create": "created", "update": "updated", "replace": "replaced", "keep": "kept", "delete": "deleted"}


def checked(config: Config, place: Account, observe: Observer = ignore_event) -> tuple[Finding, ...]:
    """What the account and the certificate say before anything is touched: a finding for each check, not the first only."""
    return run_preflight(config, place.aws, clock.now(), observe)


def drawn(config: Config, place: Account, state: State | None) -> Blueprint:
    """The blueprint for this place. Raises Refused where the place can't be used."""
    return blueprint(config, look_up_account(config, place, _image_in_use(state)))


def _image_in_use(state: State | None) -> str:
    """The image of the instance that runs: a newer official image alone is no reason to replace a machine."""
    record = state.current("instance") if state else None
    return record.outputs.get("image_id", "") if record else ""


def planned(place: Account, wanted: Blueprint, state: State | None) -> Plan:
    """What would change. Makes no mutating call. Another deployment's state says nothing about this one."""
    return plan_changes(place.aws, wanted, state if state and state.deployment == wanted.deployment else None)


def journal_for(deployment: str, *, config: Config, config_file: Path, place: Account, store: Store, state: State | None) -> Journal:
    """The journal of this deployment: the one that is there, or a new one. Raises Refused on another deployment's state."""
    if state and state.deployment != deployment and state.alive():
        raise Refused(_other_deployment(state, deployment, store.location))
    fresh = State(deployment, place.aws.account_id, place.aws.region, config.mode, str(config_file.absolute()), place.origin())
    return Journal(store, state if state and state.deployment == deployment else fresh)


def applied(place: Account, wanted: Blueprint, plan: Plan, journal: Journal, observe: Observer, *, stop: Stop = NEVER) -> Outcome:
    """Carry out a plan and write down how it ended."""
    outcome = apply(place.aws, wanted, plan, journal, observe, stop=stop)
    journal.end_run("interrupted" if outcome.stopped else "failed" if outcome.problems else "applied")
    return outcome


def settled(plan: Plan, journal: Journal) -> Plan:
    """The same plan with the ids that its births brought, for the report."""

    def born(change: Change) -> Change:
        # What is deleted because a newer generation took its place has the same name, and an id of its own.
        generation = change.next_generation if change.action is Action.REPLACE else change.generation
        record = journal.state.records.get(f"{change.name}-{generation}")
        return replace(change, id=record.id) if record and record.id else change

    return replace(plan, changes=tuple(map(born, plan.changes)))


def reached(config: Config, place: Account, outputs: Mapping[str, Outputs]) -> Endpoints:
    """How the deployment is reached by its users."""
    local_ca = str(state_folder() / "local-ca" / "ca.pem") if config.tls.source == "local_ca" else ""
    return connection.deployed(outputs, place, domain=config.deployment.domain_name, private_ca=local_ca or config.deployment.ssl_ca_path)


def verified(config: Config, plan: Plan, world: Endpoints, observe: Observer) -> Report:
    """Run every check after deployment and answer the report."""
    findings = run_checks(verification_checks(), world, observe)
    made = tuple(
        ResourceResult(change.name, change.kind, change.id, "used" if change.named else _DONE[change.action]) for change in plan.changes
    )
    return Report(plan.deployment, config.aws.region, config.mode, world.base_url, made, findings, clock.stamp())


def _other_deployment(state: State, deployment: str, path: str) -> Problem:
    return Problem(
        code="STATE-OTHER-DEPLOYMENT",
        what=f"{path} is the state of deployment {state.deployment}; this configuration is deployment {deployment}.",
        why="A deployment's id follows from account, region and name; one of them is another now.",
        do=(
            "Use another state file for this one: --state-file .deployment_state.other",
            f"Or remove the old one first: `sre-agent-deploy cleanup --deployment-id {state.deployment} --state-file {path}`.",
        ),
    )

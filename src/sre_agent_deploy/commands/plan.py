"""`plan`, `costs`, `validate --account`, `export` and `iam-policy`: what a configuration means in an account. Makes no mutating call."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sre_agent_deploy.account.account import Account, describe_account, look_up_account, open_production_account
from sre_agent_deploy.account.facts import AccountFacts
from sre_agent_deploy.aws.attempt import ask_or_refuse
from sre_agent_deploy.blueprint import blueprint
from sre_agent_deploy.checks.check import Finding
from sre_agent_deploy.checks.suite import run_preflight
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.claims import explain_missing_aws
from sre_agent_deploy.commands.locks import require_own_state
from sre_agent_deploy.commands.saved_plan import describe_plan, require_replaceable, save_plan
from sre_agent_deploy.commands.user import UNATTENDED, User
from sre_agent_deploy.commands.workspace import Located, find_state, load_config, open_workspace, warn_if_locked, watch
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.config.regions import partition_of
from sre_agent_deploy.costs import Estimate, estimate_cost
from sre_agent_deploy.deployer_policy import list_statements, name_policies, split_policies
from sre_agent_deploy.deployment_tags import taggable
from sre_agent_deploy.engine.planning import plan_changes
from sre_agent_deploy.graph import Blueprint
from sre_agent_deploy.journal.state import State
from sre_agent_deploy.plan import Plan
from sre_core import atomic_file, clock
from sre_core.nearest import find_nearest
from sre_core.problem import Problem, Refused


def plan(request: Request, user: User = UNATTENDED, *, targets: tuple[str, ...] = (), out: Path | None = None) -> Plan:
    """Compare the configuration with what AWS has now. With `out`, save the plan there, if it can be carried out."""
    if out:
        require_replaceable(out)
    located = find_state(request)
    with open_workspace(located, user, start=True) as here, watch(here.account, user) as account:
        warn_if_locked(here.store, user)
        _note_ended_aws(located, here.state, user)
        facts = look_up_facts(here.config, account, here.state, here.store.location)
        wanted = blueprint(here.config, facts)
        require_own_state(wanted.deployment, here.state, here.store.location)
        limited = limit_blueprint(wanted, targets)
        found = plan_deployment(account, wanted, here.state)
        if targets:
            found = found.limit([item.name for item in limited])
        if out and not (found.problems or found.extras):
            save_plan(out, describe_plan(here, facts, found, targets))
        return found


def limit_blueprint(wanted: Blueprint, targets: tuple[str, ...]) -> Blueprint:
    """Return the targets and what they need; everything without targets. Raises Refused where there is no resource of that name."""
    names = [item.name for item in wanted]
    unknown = [target for target in targets if target not in names]
    if unknown:
        raise Refused(*(_target_unknown(target, names) for target in unknown))
    return wanted.limit(targets)


def _target_unknown(target: str, names: list[str]) -> Problem:
    alike = find_nearest(target, names)
    return Problem(
        code="TARGET-UNKNOWN",
        what=f"The deployment has no resource {target}. Nothing was changed.",
        why="--target takes the name that a resource has in the plan, not its id and not its type.",
        do=(*((f"Did you mean --target {alike}?",) if alike else ()), f"The names are: {', '.join(names)}."),
    )


def _note_ended_aws(located: Located, current: State | None, user: User) -> None:
    """Say why everything is to be created, if the state is of a local AWS that has ended."""
    ended = located.state
    if current is None and ended and ended.mode == "local" and ended.alive():
        problem = explain_missing_aws(ended)
        user.warn(f"{problem.code}: the local AWS with deployment {ended.deployment} has ended. {problem.why}")


def check_account(located: Located, user: User = UNATTENDED) -> tuple[Finding, ...]:
    """Run preflight: every check of the account and the certificate before anything is changed."""
    with open_workspace(located, user, start=True) as here:
        return run_preflight(here.config, here.account.aws, clock.now())


def export_cloudformation(request: Request) -> str:
    """Write a CloudFormation template of the deployment, as JSON."""
    from sre_agent_deploy.guide.cloudformation import render
    from sre_agent_deploy.guide.places import account_values

    config = load_config(request)
    return render(blueprint(config, describe_account(config)), account_values(config))


def estimate_costs(request: Request) -> Estimate:
    """Estimate what a configuration costs a month; nothing in local mode. Asks nobody."""
    config = load_config(request)
    if config.mode == "local":
        return Estimate()
    return estimate_cost(config, blueprint(config, describe_account(config)))


def draw_blueprint(config: Config, account: Account, state: State | None, location: str = "") -> Blueprint:
    """Draw the blueprint of a configuration for an account. Raises Refused where the account can't be used.

    `location` is that of the state.
    """
    return blueprint(config, look_up_facts(config, account, state, location))


def look_up_facts(config: Config, account: Account, state: State | None, location: str = "") -> AccountFacts:
    """Look up what a blueprint needs to know. Raises Refused where the account can't be used."""
    return replace(
        look_up_account(config, account, _image_in_use(state, config.deployment.operating_system)), state_location=taggable(location)
    )


def _image_in_use(state: State | None, operating_system: str) -> str:
    """Return the official image of this system that the instance runs: a newer one alone is no reason to replace an instance."""
    record = state.current("instance") if state else None
    outputs = record.outputs if record else {}
    return outputs.get("image_id", "") if outputs.get("operating_system") == operating_system else ""


def plan_deployment(account: Account, wanted: Blueprint, state: State | None, *, leave: Collection[str] = ()) -> Plan:
    """Plan the changes from what AWS has now to a blueprint. The state of another deployment says nothing about this one."""
    return plan_changes(account.aws, wanted, state if state and state.deployment == wanted.deployment else None, leave=leave)


def write_policies(request: Request) -> Mapping[str, Any]:
    """Write the policies of a configuration, by name. Raises Refused with every fault of the configuration.

    The account's number is part of the deployment's id, and so of most ARNs: without aws.account_id AWS is asked for it.
    """
    config = load_config(request)
    if config.mode == "local":
        raise Refused(_local())
    account_id = config.aws.account_id or _ask_account(config)
    facts = replace(describe_account(config), account_id=account_id, partition=partition_of(config.aws.region))
    plan = blueprint(config, facts)
    policies = split_policies(list_statements(config, plan, account_id))
    return dict(zip(name_policies(plan.deployment, len(policies)), policies, strict=True))


def save_policies(policies: Mapping[str, Any], folder: Path) -> tuple[Path, ...]:
    """Write each policy into a file of its own, named like it."""
    folder.mkdir(parents=True, exist_ok=True)
    files = tuple(folder / f"{name}.json" for name in policies)
    for file, policy in zip(files, policies.values(), strict=True):
        atomic_file.write(file, (json.dumps(policy, indent=2) + "\n").encode())
    return files


def _ask_account(config: Config) -> str:
    account = open_production_account(config)
    return ask_or_refuse(account.aws, lambda: account.aws.account_id)


def _local() -> Problem:
    return Problem(
        code="IAM-POLICY-LOCAL",
        what="There is no policy for local mode.",
        why="In local mode everything is done as the root of the local AWS, which needs no policy.",
        do=("Name the mode that the policy is for: sre-agent-deploy iam-policy --mode production",),
    )

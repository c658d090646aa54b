"""`cleanup`: delete everything of one deployment, from its state file, or from tags and listings where there is none.

What the user named in the configuration, and what is not ours, stays.
"""

from __future__ import annotations

import re
from contextlib import nullcontext
from dataclasses import replace
from operator import attrgetter

from sre_agent_deploy import connection
from sre_agent_deploy.account import DEPLOYMENT_ID_PATTERN, local, other_account
from sre_agent_deploy.account import deployment_id as compute_id
from sre_agent_deploy.account.account import Account
from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.claims import choose_claim, delete_claim, describe_known, explain_missing_aws, list_claims, read_claim
from sre_agent_deploy.commands.user import UNATTENDED, CommandResult, Question, User
from sre_agent_deploy.commands.workspace import (
    Located,
    default_config,
    find_state,
    find_tagged_store,
    hold_deployment,
    hold_state,
    keep_current,
    load_state,
    use_account,
    watch,
)
from sre_agent_deploy.config.models import AWSConfig, Config
from sre_agent_deploy.config.operations import RetriesConfig
from sre_agent_deploy.engine.delete import CleanedUp, clean_up, preview
from sre_agent_deploy.engine.inventory import Inventory, Named, take_inventory
from sre_agent_deploy.journal import Journal, lock
from sre_agent_deploy.journal.state import State
from sre_agent_deploy.journal.store import Store
from sre_agent_deploy.progress import Observer, Stop, lookup_interrupted
from sre_agent_deploy.resources import kinds
from sre_core.problem import Problem, Refused

_LIST = "sre-agent-deploy cleanup --older-than 1s --dry-run"


def cleanup(request: Request, user: User = UNATTENDED, *, deployment_id: str = "", dry_run: bool = False) -> CommandResult:
    """Delete everything of one deployment, or with `dry_run` only show what would be deleted."""
    deployment_id = _resolve_name(deployment_id)
    located = find_state(request)
    deployment = _choose_deployment(deployment_id, located)
    state = located.state if located.state and located.state.deployment == deployment else None
    config = config_for_cleanup(located, state, deployment)
    named = {} if state else named_resources(config)
    with use_account(config, user, start=False) as account:
        if account is None:
            return _finish_without_aws(deployment, state)
        refuse_other_account(account, config, state)
        state = keep_current(state, account)
        found = _take_inventory(account, deployment, state, named, user)
        if dry_run:
            return _preview(account, deployment, found, user)
        if not found.entries and state is None and lock.find_owner(lock.deployment_lock(deployment)) is None:
            return _finish_unknown(account, deployment, found, user)
        _confirm(account, deployment, found, user, named_by_user=bool(deployment_id))
        store = located.store if state else find_tagged_store(found.entries, account)
        with hold_deployment(deployment, account, "cleanup"), user.progress() as observe, user.stoppable() as stop:
            cleaned = clean_up_with_journal(account, deployment, store, state, observe, named=named, stop=stop, found=found)
        return _finish(deployment, cleaned, account, user)


def _choose_deployment(deployment_id: str, located: Located) -> str:
    deployment = deployment_id or (located.state.deployment if located.state else "")
    if not deployment:
        raise Refused(_which_deployment(located))
    if not re.fullmatch(DEPLOYMENT_ID_PATTERN, deployment):
        raise Refused(_not_an_id(deployment))
    return deployment


def _resolve_name(text: str) -> str:
    """Return the id of the deployment that has this name on this machine; the text itself where none has."""
    named = text and any(claim.name == text for claim in list_claims().values())
    return choose_claim(text)[0] if named else text


def config_for_cleanup(located: Located, state: State | None, deployment: str = "") -> Config:
    """Choose the AWS to look in: that of the state if there is one. Deleting needs little else of the configuration."""
    if state is None and not located.mode and not located.named and _is_local(deployment):
        return default_config("local")
    if located.named or (state is None and located.mode != "local" and located.file.text is not None):
        return located.config()
    if state is None:
        return default_config(located.mode or "production")
    endpoint = "" if state.mode == "local" else state.aws.get("endpoint", "")
    aws = AWSConfig(account_id=state.account, region=state.region, endpoint_url=endpoint)
    retries = _retries(located, state).model_dump()
    return Config.model_validate({"mode": located.mode or state.mode, "aws": aws.model_dump(), "retries": retries})


def _is_local(deployment: str) -> bool:
    """Return True if this machine knows a deployment as a local one."""
    claim = read_claim(deployment) if deployment else None
    return bool(claim and claim.mode == "local") or local.has_note(deployment)


def _retries(located: Located, state: State) -> RetriesConfig:
    """Return the retry limits of the configuration that was deployed; the default ones if it is gone or faulty."""
    file = replace(located, request=Request(), state=state).of_deployed().file
    config = file.load(state.mode) if file.text is not None else ()
    return RetriesConfig() if isinstance(config, tuple) else config.retries


def named_resources(config: Config) -> Named:
    """List, by kind, what the configuration names and where resources of ours may lie."""
    chosen = {kind.KIND: attrgetter(kind.CONFIGURED_BY)(config) for kind in kinds.ORDER if kind.CONFIGURED_BY}
    return {kind: (id,) for kind, id in chosen.items() if id}


def refuse_other_account(account: Account, config: Config, state: State | None) -> None:
    """Raise Refused if the credentials belong to another account than the state or the configuration names."""
    actual = attempt(lambda: account.aws.account_id, progress=account.aws.progress)
    if isinstance(actual, Problem | Lost):
        raise Refused(actual.problem if isinstance(actual, Lost) else actual)
    # The account that a configuration names is not that of the local AWS.
    expected = state.account if state else "" if account.registry else config.aws.account_id
    if expected and actual != expected:
        raise Refused(other_account(actual, expected))


def _take_inventory(account: Account, deployment: str, state: State | None, named: Named, user: User) -> Inventory:
    """Find everything of the deployment. Raises Refused where nothing can be seen, or where the user stops the search."""
    with watch(account, user) as watched:
        found = take_inventory(watched.aws, deployment, state, named)
    if watched.aws.progress.stop.requested:
        raise Refused(lookup_interrupted())
    if found.problems and not found.entries:
        raise Refused(*found.problems)
    return found


def _preview(account: Account, deployment: str, found: Inventory, user: User) -> CommandResult:
    found = preview(account.aws, deployment, found)
    user.show_inventory(found)
    user.show_problems(found.problems)
    return CommandResult(success=not found.problems, component="cleanup", message="", problems=found.problems)


def _confirm(account: Account, deployment: str, found: Inventory, user: User, *, named_by_user: bool) -> None:
    """Ask before anything is deleted. Without a terminal, --yes or --deployment-id is the answer."""
    count = len(found.entries)
    if not count:
        return
    where = f"account {account.aws.account_id}, region {account.aws.region}{' (the local AWS)' if account.registry else ''}"
    question = Question(
        f"Delete these {count} resources?",
        _unconfirmed(deployment, count),
        lines=(f"Deployment {deployment} in {where}:", *(f"  - {entry}" for entry in found.entries)),
        answered=named_by_user,
        if_no="Nothing was deleted",
    )
    user.confirm(question)


def clean_up_with_journal(
    account: Account,
    deployment: str,
    store: Store | None,
    state: State | None,
    observe: Observer,
    *,
    named: Named,
    stop: Stop,
    found: Inventory | None = None,
) -> CleanedUp:
    """Delete everything of a deployment. If it has a store, hold its lock meanwhile, and record every step in its state.

    Without a known state, what the store has of this deployment is used if it can be read. What was `found` with this state is not
    looked for again, unless the state has changed since.
    """
    with hold_state(store, account, "cleanup") if store else nullcontext():
        # Another process may have finished while this one asked.
        now = load_state(store) if store and state else store.load() if store else None
        found = found if now == state else None
        if not store or not isinstance(now, State) or now.deployment != deployment:
            return clean_up(account.aws, deployment, None, observe, named=named, stop=stop, found=found)
        journal = Journal(store, now)
        journal.begin_run("cleanup")
        cleaned = clean_up(account.aws, deployment, journal, observe, named=named, stop=stop, found=found)
        journal.end_run("interrupted" if cleaned.stopped else "failed" if cleaned.problems else "cleaned up")
        return cleaned


def forget_deployment(deployment: str, account: Account) -> bool:
    """Delete what this machine keeps for a deployment that is gone; return True if that stopped the local AWS."""
    connection.delete_connection(deployment)
    delete_claim(deployment)
    local.forget_deployment(deployment)
    return bool(account.registry and local.release_local_aws(account.registry))


def _finish(deployment: str, cleaned: CleanedUp, account: Account, user: User) -> CommandResult:
    user.show_problems(cleaned.problems)
    count = len(cleaned.deleted)
    if cleaned.problems:
        return CommandResult(
            success=False,
            component="cleanup",
            message=describe_unfinished(cleaned),
            problems=cleaned.problems,
            interrupted=cleaned.stopped,
        )
    stopped = forget_deployment(deployment, account)
    if not count:
        where = f"account {account.aws.account_id}, region {account.aws.region}"
        return _cleaned(deployment, f"Nothing of deployment {deployment} was found in {where}.", 0, aws_stopped=stopped)
    message = f"\nDeployment {deployment} is gone: {count} resource{'s' if count != 1 else ''} deleted."
    if stopped:
        message += "\nThe local AWS, which was started for it, is stopped."
    return _cleaned(deployment, message, count, aws_stopped=stopped)


def _finish_unknown(account: Account, deployment: str, found: Inventory, user: User) -> CommandResult:
    """Finish where neither the account nor a state file has anything of the deployment. No lock is needed for that."""
    user.show_problems(found.problems)
    if found.problems:
        return CommandResult(success=False, component="cleanup", message=describe_unfinished(CleanedUp((), ())), problems=found.problems)
    # In another region it may exist.
    stopped = forget_deployment(deployment, account) if account.registry else False
    where = f"account {account.aws.account_id}, region {account.aws.region}"
    message = f"Nothing of deployment {deployment} was found in {where}. {_describe_others()}"
    return _cleaned(deployment, message, 0, aws_stopped=stopped)


def _describe_others() -> str:
    """Say which other deployments there are, or how to list them."""
    known = describe_known()
    return f"This machine knows: {known}." if known else f"To list the deployments of an account: `{_LIST}`."


def _finish_without_aws(deployment: str, state: State | None) -> CommandResult:
    """Finish without the local AWS; nothing exists but what it left on the disk: credentials of its instances, sockets, the connection."""
    problem = explain_missing_aws(state)
    if problem.code == "LOCAL-RUNS-ELSEWHERE":
        raise Refused(problem)
    local.remove_leftovers()
    connection.delete_connection(deployment)
    delete_claim(deployment)
    if state is None or state.alive():
        raise Refused(problem)
    return _cleaned(deployment, f"Deployment {deployment} was cleaned up already; nothing is left of it.", 0, aws_stopped=False)


def _cleaned(deployment: str, message: str, count: int, *, aws_stopped: bool) -> CommandResult:
    details = {"cleaned_up": deployment, "deleted": count, "aws_stopped": aws_stopped}
    return CommandResult(success=True, component="cleanup", message=message, details=details)


def describe_unfinished(cleaned: CleanedUp) -> str:
    """Say in one line how far a cleanup came. The problems shown before it say what remains and what each needs."""
    if cleaned.stopped:
        return f"{len(cleaned.deleted)} deleted before the stop."
    return f"{len(cleaned.deleted)} deleted. Not everything could be deleted: fix the problems above, then run the same command again."


def _unconfirmed(deployment: str, count: int) -> Problem:
    return Problem(
        code="CLEANUP-UNCONFIRMED",
        what=f"The {count} resources of deployment {deployment} were not deleted.",
        why="Deleting needs a confirmation, and there is no terminal to ask for it.",
        do=(
            "Show first what would be deleted: `sre-agent-deploy cleanup --dry-run`.",
            f"To confirm, add --yes, or name the deployment with --deployment-id {deployment}.",
        ),
    )


def _not_an_id(text: str) -> Problem:
    return Problem(
        code="CLEANUP-NO-ID",
        what=f"Nothing was deleted: {text} is not a deployment id.",
        why="An id is `sre-` and ten of the characters 0-9 and a-f; a part of one could also be a part of other deployments' names.",
        do=(
            f"Give the whole id. {_describe_others()}",
            "If it comes from an edited state file, restore a good copy.",
        ),
    )


def _which_deployment(located: Located) -> Problem:
    computed, known = _compute_id(located), describe_known()
    machine = f" This machine knows: {known}." if known else ""
    own = (f"To delete the deployment of {located.file.path}: `sre-agent-deploy cleanup --deployment-id {computed}`.",) if computed else ()
    listing = (f"List the deployments of the account and region: `{_LIST}`.",) if not (computed and known) else ()
    return Problem(
        code="CLEANUP-WHICH",
        what="It is not clear which deployment to clean up.",
        why=f"There is no state {located.store.location}, and no --deployment-id was given.{machine}",
        do=(*own, *listing, "Then delete one: `sre-agent-deploy cleanup --deployment-id ID`, or name its state file: --state-file PATH."),
    )


def _compute_id(located: Located) -> str:
    """Compute the id of the configuration's deployment, as `plan` does; empty where its account is not known without AWS."""
    config = located.file.load(located.mode) if located.file.text is not None else ()
    if isinstance(config, tuple):
        return ""
    registry = local.find_running() if config.mode == "local" else None
    account_id = registry.account_id if registry else "" if config.mode == "local" else config.aws.account_id
    return compute_id(account_id, config.aws.region, config.name) if account_id else ""

"""`restore --data`: deploy what is missing, then put users, objects and secrets of a data backup back.

Nothing about a restore is recorded but that it ran: what is there decides what is left to do. So a run that was killed is continued
by the same command.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property, partial
from typing import Literal

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import ask_or_refuse
from sre_agent_deploy.backup.contents import Secrets
from sre_agent_deploy.backup.data import (
    DataBackup,
    OpenObject,
    Step,
    decide_api_key,
    decide_client_secret,
    decide_object,
    decide_people,
    describe_steps,
    take_theirs,
)
from sre_agent_deploy.blueprint import blueprint
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.backup import RESTORED_SECRETS
from sre_agent_deploy.commands.deploy import deploy
from sre_agent_deploy.commands.plan import look_up_facts, plan_deployment
from sre_agent_deploy.commands.rotate import Rotation, open_complete, rotate_api_key
from sre_agent_deploy.commands.user import UNATTENDED, CommandResult, Question, User
from sre_agent_deploy.commands.verify import verify
from sre_agent_deploy.commands.workspace import Workspace, find_state, hold_state, open_workspace, watch
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.journal.state import State, parse_state
from sre_agent_deploy.names import API_KEY, prefix
from sre_agent_deploy.plan import Action, Plan
from sre_agent_deploy.progress import run_interrupted
from sre_agent_deploy.resources import cognito_users as users
from sre_agent_deploy.resources import secretsmanager_calls as stored
from sre_agent_deploy.resources.cognito_users import Directory
from sre_agent_deploy.resources.s3_content import StoredObject, read_object, upload
from sre_core import clock
from sre_core.problem import Problem, Refused
from sre_core.secret import Secret

type Conflict = Literal["mine", "theirs", "abort"]


@dataclass(frozen=True)
class Restore:
    """A backup, and the deployment that it is restored into. Without `secrets`, those are made again."""

    backup: DataBackup
    secrets: Secrets | None
    config: Config
    plan: Plan
    aws: Aws

    def id_of(self, name: str) -> str:
        """Return the id of a resource that this deployment has; empty if it is yet to be created, or not its own."""
        change = next((change for change in self.plan.changes if change.name == name), None)
        absent = change is None or change.named or change.action in (Action.CREATE, Action.REPLACE)
        return "" if absent or change is None else change.id

    @property
    def bucket(self) -> str:
        change = self.plan.change("bucket")
        return change.id if change.named else self.id_of("bucket")

    @cached_property
    def objects(self) -> Mapping[str, StoredObject]:
        """The objects by the keys that they have in this deployment. In a bucket of the user's, only ours are put back."""
        here, before = self.plan.deployment, self.backup.origin.deployment
        keys = ("/".join(here if part == before else part for part in each.key.split("/")) for each in self.backup.objects)
        within = f"{prefix(self.config, here)}/" if self.plan.change("bucket").named else ""
        moved = zip(keys, self.backup.objects, strict=True)
        return {key: replace(each, key=key) for key, each in moved if key.startswith(within)}

    def decide(self, conflict: Conflict | None) -> tuple[Step, ...]:
        """Look at what is there, and decide what is done with each thing of the backup. Raises Refused to abort."""
        steps = (*self._decide_people(), *self._decide_objects(), *self._decide_secrets())
        if conflict == "abort" and (newer := [step for step in steps if step.action == "newer"]):
            raise Refused(_aborted(newer))
        return take_theirs(steps) if conflict == "theirs" else steps

    def _decide_people(self) -> tuple[Step, ...]:
        pool = self.id_of("user_pool")
        if self.plan.change("user_pool").named:
            return ()
        there = self._ask(users.read_directory, pool) if pool else Directory()
        return tuple(decide_people(self.backup.directory, there, self.backup.origin.made_at))

    def _decide_objects(self) -> tuple[Step, ...]:
        bucket, made_at = self.bucket, self.backup.origin.made_at
        found = ((each, self._ask(read_object, bucket, key) if bucket else None) for key, each in self.objects.items())
        return tuple(decide_object(each, there, made_at) for each, there in found)

    def _decide_secrets(self) -> tuple[Step, ...]:
        values = self.secrets.values if self.secrets else {}
        return tuple(self._decide_secret(name, values[name]) for name in RESTORED_SECRETS if name in values)

    def _decide_secret(self, name: str, saved: Mapping[str, Secret]) -> Step:
        id = self.id_of(name)
        if not id:
            return Step("secret", name, "update" if name == "backend_key" else "keep", "it is to be made again")
        if name != "backend_key":
            return decide_client_secret(name, saved, self._ask(stored.read_values, id))
        labels = {stage: self._ask(stored.read_values, id, stage).get(API_KEY, Secret("")) for stage in self._ask(stored.read_stages, id)}
        created = clock.stamp(self._ask(stored.describe_secret, id)["CreatedDate"])
        return decide_api_key(saved[API_KEY], labels, created=created, made_at=self.backup.origin.made_at)

    def _ask[T](self, call: Callable[..., T], *arguments: str) -> T:
        return ask_or_refuse(self.aws, partial(call, self.aws, *arguments))


def restore_data(
    request: Request,
    backup: DataBackup,
    secrets: Secrets | None,
    user: User = UNATTENDED,
    *,
    conflict: Conflict | None = None,
    dry_run: bool = False,
) -> CommandResult:
    """Show what a restore would do, ask, deploy what is missing, put the data back, and verify."""
    located = find_state(request)
    if (name := located.config().name) != backup.origin.name:
        raise Refused(_foreign(backup, name))
    with open_workspace(located, user, start=True) as here:
        restore = _prepare(here, backup, secrets, user)
        steps = restore.decide(conflict)
        bring_state = _is_of_here(restore, here)
        lines = _describe(restore, steps, bring_state=bring_state)
        for line in lines:
            user.note(line)
        if dry_run:
            return CommandResult(success=True, component="restore", message="Nothing was changed: this was a dry run.")
        user.confirm(Question(f"Restore this into deployment {restore.plan.deployment}?", _not_agreed(restore.plan.deployment)))
        if bring_state:
            _put_state(here, backup)
    if not restore.plan.nothing_to_do:
        deployed = deploy(request, user)
        if not deployed.success:
            return deployed
    # No client has a key that this run has made, so none needs time to change to the other one.
    overlap = None if restore.id_of("backend_key") else timedelta(0)
    with open_complete(request, user, overlap, command="restore", result="restored", incomplete=_incomplete) as rotation:
        restore = replace(restore, plan=rotation.plan, aws=rotation.aws)
        put_back(restore, rotation, conflict)
    user.note("Verifying:")
    verified = verify(request, user)
    return verified.model_copy(update={"message": f"{_summarize(restore)}\n{verified.message}", "next_steps": _next_steps(restore)})


def put_back(restore: Restore, rotation: Rotation, conflict: Conflict | None) -> None:
    """Put back what is missing. Raises Refused if the user stops it, or AWS refuses a step."""
    with restore.backup.open_objects() as open_object:
        for step in restore.decide(conflict):
            if rotation.aws.progress.stop.requested:
                raise Refused(run_interrupted())
            if step.action in ("create", "update"):
                _carry_out(restore, rotation, step, open_object)


def _prepare(here: Workspace, backup: DataBackup, secrets: Secrets | None, user: User) -> Restore:
    """Plan the deployment. Raises Refused if the plan has problems."""
    with watch(here.account, user) as account:
        wanted = blueprint(here.config, look_up_facts(here.config, account, here.state, here.store.location))
        plan = plan_deployment(account, wanted, here.state)
    if plan.problems:
        raise Refused(*plan.problems)
    return Restore(backup, secrets, here.config, plan, here.account.aws)


def _is_of_here(restore: Restore, here: Workspace) -> bool:
    """Say if the state is lost, and the backup has it: of the same deployment in the same AWS."""
    state = _read_state(restore.backup)
    if state is None or here.store.load() is not None:
        return False
    origin = here.account.origin()
    same_aws = all(state.aws.get(key, "") == origin.get(key, "") for key in ("endpoint", "start_id"))
    return state.deployment == restore.plan.deployment and same_aws


def _read_state(backup: DataBackup) -> State | None:
    state = parse_state(backup.state, str(backup.path))
    return state if isinstance(state, State) else None


def _put_state(here: Workspace, backup: DataBackup) -> None:
    with hold_state(here.store, here.account, "restore"):
        state = _read_state(backup)
        if state and here.store.load() is None:
            here.store.save(state)


def _describe(restore: Restore, steps: tuple[Step, ...], *, bring_state: bool) -> tuple[str, ...]:
    origin, plan = restore.backup.origin, restore.plan
    changes = [change for change in plan.changes if change.action is not Action.KEEP]
    return (
        f"Backup of {origin.deployment} in account {origin.account}, {origin.region}, release {origin.release}, made {origin.made_at}",
        f"Into {plan.deployment} in account {restore.aws.account_id}, {restore.aws.region}",
        *((f"  state            to put back, number {state.serial}",) if bring_state and (state := _read_state(restore.backup)) else ()),
        f"  resources        {f'{len(changes)} to deploy first' if changes else 'all there'}",
        *describe_steps(steps),
        *(f"  not in it: {each}" for each in restore.backup.left_out),
        *(("  secrets          made again: there is no passphrase",) if restore.backup.sealed and restore.secrets is None else ()),
    )


def _carry_out(restore: Restore, rotation: Rotation, step: Step, open_object: OpenObject) -> None:
    """Do one step. Each can be repeated."""
    aws, directory, pool = rotation.aws, restore.backup.directory, restore.id_of("user_pool")
    match step.kind:
        case "attribute":
            definition = next(each for each in directory.custom_attributes if each["Name"] == step.name)
            rotation.ask(partial(users.add_attributes, aws, pool, (definition,)))
        case "group":
            group = next(each for each in directory.groups if each.name == step.name)
            same_account = restore.backup.origin.account == aws.account_id
            rotation.ask(partial(users.create_group, aws, pool, group if same_account else replace(group, role_arn="")))
        case "user":
            _put_person(rotation, pool, directory, step)
        case "member":
            rotation.ask(partial(users.add_to_group, aws, pool, step.name, step.of))
        case "object":
            each = restore.objects[step.name]
            with open_object(each) as content:
                rotation.ask(partial(upload, aws, restore.bucket, each, content, replace=step.action == "update"))
        case "secret":
            _put_secret(restore, rotation, step.name)


def _put_person(rotation: Rotation, pool: str, directory: Directory, step: Step) -> None:
    person = directory.person(step.name)
    assert person
    if step.action == "create":
        rotation.ask(partial(users.create_person, rotation.aws, pool, person))
    else:
        rotation.ask(partial(users.update_person, rotation.aws, pool, person))
    if step.action == "update" or not person.enabled:
        rotation.ask(partial(users.admit_person, rotation.aws, pool, person.username, enabled=person.enabled))


def _put_secret(restore: Restore, rotation: Rotation, name: str) -> None:
    values = restore.secrets.values[name] if restore.secrets else {}
    id = rotation.own(name).id
    if name != "backend_key":
        rotation.ask(partial(stored.put_values, rotation.aws, id, values, description=""))
        return
    rotate_api_key(rotation, values[API_KEY])
    # An earlier rotation that was cut was finished instead.
    if rotation.ask(partial(stored.read_values, rotation.aws, id)) != values:
        rotate_api_key(rotation, values[API_KEY])


def _summarize(restore: Restore) -> str:
    # A pool that the configuration names is others' to fill.
    people = len(restore.backup.directory.people) if restore.id_of("user_pool") else 0
    return f"Restored: {people} users, {len(restore.objects)} objects." + (
        " No backup has passwords: users need new ones." if people else ""
    )


def _next_steps(restore: Restore) -> tuple[str, ...]:
    pool = restore.id_of("user_pool")
    invite = f"aws cognito-idp admin-create-user --user-pool-id {pool} --message-action RESEND --username NAME"
    return ((f"{invite}   (sends a new password; for each user)",) if restore.backup.directory.people and pool else ()) + (
        "sre-agent-deploy backup --data",
    )


def _foreign(backup: DataBackup, name: str) -> Problem:
    origin = backup.origin
    return Problem(
        code="BACKUP-FOREIGN",
        what=f"{backup.path} is a backup of {origin.name} ({origin.deployment}); this configuration is {name}. Nothing was changed.",
        why="The data of one deployment would be mixed with that of another.",
        do=(
            f"Run it where the configuration of {origin.name} is, or in an empty folder: the backup has that configuration.",
            f"If this is to become {origin.name}: `sre-agent-deploy set name {origin.name}`.",
        ),
    )


def _incomplete(why: str) -> Problem:
    return Problem(
        code="RESTORE-INCOMPLETE",
        what="No data was restored: the deployment is not complete.",
        why=why,
        do=(
            "See what is missing: `sre-agent-deploy plan`.",
            "Run the same command again: it deploys what is missing first.",
        ),
    )


def _not_agreed(deployment: str) -> Problem:
    return Problem(
        code="RESTORE-NOT-AGREED",
        what=f"Nothing was restored into {deployment}.",
        why="There is no terminal to ask at, and --yes was not given.",
        do=("Look at what would be done: --dry-run", "Then run the same command with --yes."),
    )


def _aborted(newer: list[Step]) -> Problem:
    return Problem(
        code="RESTORE-NEWER",
        what=f"Nothing was restored: newer than the backup: {', '.join(f'{step.kind} {step.name}' for step in newer)}.",
        why="--conflict=abort was given.",
        do=("Keep what is newer: --conflict=mine", "Or take the backup's: --conflict=theirs"),
    )

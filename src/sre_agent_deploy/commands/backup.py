"""`backup --data`: save what a deployment holds in AWS in one file, which is checked before it gets its name."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import ask, ask_or_refuse
from sre_agent_deploy.backup import data
from sre_agent_deploy.backup.archive import pack
from sre_agent_deploy.backup.data import DataBackup, Origin, Secrets, Writer
from sre_agent_deploy.backup.keep import backup_folder, collect, not_made, read_dotenv_beside
from sre_agent_deploy.backup.sealed import judge_passphrase
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.claims import state_not_found
from sre_agent_deploy.commands.user import UNATTENDED, User
from sre_agent_deploy.commands.workspace import Workspace, find_state, open_workspace, warn_if_locked
from sre_agent_deploy.edit import file
from sre_agent_deploy.journal.state import Record, State, render_state
from sre_agent_deploy.journal.store import is_s3
from sre_agent_deploy.names import prefix
from sre_agent_deploy.resource import BACKUP_TAG, DEPLOYMENT_TAG, NAME_TAG, TagChanges
from sre_agent_deploy.resources.cognito_users import EXTERNAL, Directory, read_directory
from sre_agent_deploy.resources.ec2_security_group import SecurityGroup
from sre_agent_deploy.resources.s3_content import LARGEST, StoredObject, download, list_keys
from sre_agent_deploy.resources.secretsmanager_calls import read_values
from sre_core import clock
from sre_core.problem import Problem, Refused
from sre_core.secret import Secret

RESTORED_SECRETS = ("backend_key", "gateway_client_secret", "caller_client_secret")
"""The secrets that nothing but a backup can bring back: all others come from the configuration, or are made anew."""


@dataclass(frozen=True)
class Source:
    """What a backup is made of."""

    aws: Aws
    workspace: Workspace
    state: State

    def own(self, name: str) -> Record | None:
        """Return a resource that this deployment has and that is its own: what the configuration names is others' to save."""
        record = self.state.current(name)
        return record if record and record.id and not record.named else None


def back_up_data(request: Request, user: User = UNATTENDED, *, to: Path | None = None, passphrase: Secret | None = None) -> DataBackup:
    """Write a data backup to `to`, or to this machine's backups. Without a passphrase, the secrets are left out.

    Raises Refused if there is no deployment, or something of it can't be read; there is no backup then.
    """
    if passphrase and (short := judge_passphrase(passphrase)):
        raise Refused(short)
    with open_workspace(find_state(request).of_deployed(), user, start=False) as here:
        if here.state is None:
            raise Refused(state_not_found(here.store.location, "backup"))
        warn_if_locked(here.store, user)
        source = Source(here.account.aws, here, here.state)
        made_at = clock.stamp()
        path = to or backup_folder() / f"data-{here.state.deployment}-{made_at.replace('-', '').replace(':', '')}.zip"
        try:
            made = data.write_data(path, partial(_fill, source, passphrase, made_at))
        except OSError as error:
            raise Refused(not_made(path, error)) from error
        _record(source, made_at, user)
        return made


def _fill(source: Source, passphrase: Secret | None, made_at: str, writer: Writer) -> None:
    here, state = source.workspace, source.state
    configuration = file.read(here.config_file)
    if isinstance(configuration, Problem):
        raise Refused(configuration)
    left_out: list[str] = []
    writer.add(data.CONFIGURATION, pack(collect(configuration, Path(here.store.location))))
    writer.add(data.STATE, render_state(state))
    directory = _read_directory(source, left_out)
    writer.add(data.USERS, data.render_part(directory))
    writer.add(data.OBJECTS, data.render_part(tuple(_save_objects(source, writer, left_out))))
    if passphrase:
        writer.add_secrets(_read_secrets(source), passphrase)
    else:
        left_out.append("the secrets, and those of .env: there was no passphrase")
    origin = Origin(
        made_at=made_at,
        account=state.account,
        region=state.region,
        deployment=state.deployment,
        name=here.config.name,
        mode=state.mode,
        release=version("sre-agent"),
    )
    writer.finish(origin, tuple(left_out))


def _read_directory(source: Source, left_out: list[str]) -> Directory:
    pool = source.own("user_pool")
    if pool is None:
        left_out.append("the users: the user pool is not this deployment's own")
        return Directory()
    found = ask_or_refuse(source.aws, partial(read_directory, source.aws, pool.id))
    outside = [person.username for person in found.people if person.status == EXTERNAL]
    if outside:
        left_out.append(f"{len(outside)} users of an identity provider: they come back when they sign in")
    return replace(found, people=tuple(person for person in found.people if person.status != EXTERNAL))


def _save_objects(source: Source, writer: Writer, left_out: list[str]) -> Iterator[StoredObject]:
    """Save each object, but for those that a deployment stores itself: the release, OpenAPI documents, reports of machines."""
    record = source.state.current("bucket")
    if record is None or not record.id:
        return
    aws, config, bucket = source.aws, source.workspace.config, record.id
    ours = f"{prefix(config, source.state.deployment)}/"
    listed = ask_or_refuse(aws, partial(list_keys, aws, bucket, ours if record.named else ""))
    for number, (key, size) in enumerate(listed):
        if key.startswith(f"{ours}status/") or _is_state(source, bucket, key):
            continue
        if size > LARGEST:
            left_out.append(f"{key}: it is larger than 5 GiB")
            continue
        with tempfile.TemporaryFile() as content:
            stored = ask_or_refuse(aws, partial(download, aws, bucket, key, content))
            if stored and not _is_declared(source, stored):
                part = f"objects/{number:06}"
                yield replace(stored, part=part, sha256=writer.add_file(part, content))


def _is_state(source: Source, bucket: str, key: str) -> bool:
    """Return True for the state itself and its lock: a backup has it already, and an old one must never replace it."""
    location = source.workspace.store.location
    return is_s3(location) and f"s3://{bucket}/{key}".startswith(location)


def _is_declared(source: Source, stored: StoredObject) -> bool:
    return stored.tags.get(DEPLOYMENT_TAG) == source.state.deployment and NAME_TAG in stored.tags


def _read_secrets(source: Source) -> Secrets:
    own = {name: record for name in RESTORED_SECRETS if (record := source.own(name))}
    values = {name: ask_or_refuse(source.aws, partial(read_values, source.aws, record.id)) for name, record in own.items()}
    return Secrets(values=values, dotenv=read_dotenv_beside(source.workspace.config_file))


def _record(source: Source, made_at: str, user: User) -> None:
    """Record the time at the deployment itself, where `readiness` finds it from every machine.

    A tag of a secret would make the secret look newer than it is.
    """
    group = source.own("security_group")
    tag = partial(SecurityGroup.set_tags, source.aws, group.id, TagChanges({BACKUP_TAG: made_at}, ())) if group else None
    problem = ask(source.aws, tag) if tag else None
    if isinstance(problem, Problem):
        user.warn(f"The time of this backup was not recorded. {problem.what}")

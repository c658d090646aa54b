"""`backup --data`: save what a deployment holds in AWS in one file, which is checked before it gets its name."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from sre_agent_deploy.account import deployment_id
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import ask, ask_or_refuse
from sre_agent_deploy.backup import data
from sre_agent_deploy.backup.contents import (
    CONFIGURATION,
    SOURCE,
    STATE,
    Content,
    Origin,
    Secrets,
    Writer,
    judge_passphrase,
    save_objects,
    save_people,
)
from sre_agent_deploy.backup.data import DataBackup
from sre_agent_deploy.backup.keep import backup_folder, collect, not_made, pack, read_dotenv_beside
from sre_agent_deploy.commands import CONFIG, Request
from sre_agent_deploy.commands.claims import explain_missing_aws, state_not_found
from sre_agent_deploy.commands.user import UNATTENDED, User
from sre_agent_deploy.commands.workspace import (
    ConfigFile,
    Workspace,
    default_config,
    find_state,
    open_workspace,
    use_account,
    warn_if_locked,
)
from sre_agent_deploy.config import text_file
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.journal.state import Record, State, render_state
from sre_agent_deploy.journal.store import is_s3
from sre_agent_deploy.names import prefix
from sre_agent_deploy.resource import BACKUP_TAG, TagChanges
from sre_agent_deploy.resources import ec2_boot
from sre_agent_deploy.resources.ec2_security_group import SecurityGroup
from sre_agent_deploy.resources.s3_content import download, list_keys
from sre_agent_deploy.resources.secretsmanager_calls import read_values
from sre_core import clock
from sre_core.machine import BACKUP_SOURCE_FILE, BACKUPS_FOLDER, STATUS_FOLDER
from sre_core.problem import Problem, Refused
from sre_core.secret import Secret

RESTORED_SECRETS = ("backend_key", "gateway_client_secret", "caller_client_secret")
"""The secrets that nothing but a backup can bring back: all others come from the configuration, or are made again."""


@dataclass(frozen=True)
class Source:
    """The contents that a backup is made of."""

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
        origin = describe_origin(here.config, here.state, clock.stamp())
        path = to or backup_folder() / origin.file_name
        try:
            made = data.write_data(path, partial(_fill, source, passphrase, origin))
        except OSError as error:
            raise Refused(not_made(path, error)) from error
        _record(source, origin.made_at, user)
        return made


def _fill(source: Source, passphrase: Secret | None, origin: Origin, writer: Writer) -> None:
    here, state = source.workspace, source.state
    left_out: list[str] = []
    writer.add(CONFIGURATION, _pack_configuration(here))
    writer.add(STATE, render_state(state))
    content = find_content(here.config, state, here.store.location)
    save_people(source.aws, content, writer, left_out)
    save_objects(source.aws, content, writer, left_out)
    if passphrase:
        writer.add_secrets(_read_secrets(source), passphrase)
    else:
        left_out.append("the secrets, and those of .env: there was no passphrase")
    writer.finish(origin, tuple(left_out))


def _pack_configuration(here: Workspace) -> bytes:
    configuration = text_file.read(here.config_file)
    if isinstance(configuration, Problem):
        raise Refused(configuration)
    return pack(collect(configuration, Path(here.store.location)))


def describe_origin(config: Config, state: State, made_at: str) -> Origin:
    """Describe of what a backup is made."""
    return Origin(
        made_at=made_at,
        account=state.account,
        region=state.region,
        deployment=state.deployment,
        name=config.name,
        mode=state.mode,
        release=version("sre-agent"),
    )


def find_content(config: Config, state: State, state_location: str) -> Content:
    """Find where a deployment has its data. Of a bucket of the user's, only what is below the deployment's prefix counts."""
    pool, bucket = state.current("user_pool"), state.current("bucket")
    ours = f"{prefix(config, state.deployment)}/"
    return Content(
        deployment=state.deployment,
        user_pool_id=pool.id if pool and not pool.named else "",
        bucket=bucket.id if bucket else "",
        within=ours if bucket and bucket.named else "",
        ours=ours,
        state_location=state_location if is_s3(state_location) else "",
    )


def leave_source(here: Workspace, state: State, user: User) -> None:
    """Leave what the machine's backups take along beside its reports: configuration, state, and of what they are made."""
    instance, bucket = state.current("instance"), state.current("bucket")
    if not here.config.backups.at or not (instance and instance.id and bucket and bucket.id):
        return
    where = ec2_boot.own_uri(f"{prefix(here.config, state.deployment)}/{STATUS_FOLDER}/", instance.id)
    try:
        body = _pack_source(here, state)
        put = partial(here.account.aws.client("s3").put_object, Bucket=bucket.id, Key=f"{where}{BACKUP_SOURCE_FILE}", Body=body)
        ask_or_refuse(here.account.aws, put)
    except Refused as refused:
        user.warn(f"The machine's backups will have an old configuration and state. {refused.problems[0].what}")


def _pack_source(here: Workspace, state: State) -> bytes:
    content, packed = find_content(here.config, state, here.store.location), io.BytesIO()
    described = {"origin": asdict(describe_origin(here.config, state, "")), "content": asdict(content)}
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        parts = {SOURCE: json.dumps(described).encode(), CONFIGURATION: _pack_configuration(here), STATE: render_state(state)}
        for name, part in parts.items():
            file.writestr(name, part)
    return packed.getvalue()


def list_scheduled(request: Request, user: User = UNATTENDED) -> tuple[str, ...]:
    """List the backups that the machine of a deployment has made, oldest first, each as s3://BUCKET/KEY."""
    with open_workspace(find_state(request).of_deployed(), user, start=False) as here:
        aws, config = here.account.aws, here.config
        id = here.state.deployment if here.state else deployment_id(aws.account_id, aws.region, config.name)
        bucket = config.backups.bucket or config.gateway.s3_bucket or f"{id}-{config.name}"
        found = ask_or_refuse(aws, partial(list_keys, aws, bucket, f"{prefix(config, id)}/{BACKUPS_FOLDER}/data-"))
        return tuple(f"s3://{bucket}/{key}" for key, _ in found)


@contextmanager
def fetch_backup(request: Request, place: Path, user: User = UNATTENDED) -> Iterator[Path]:
    """Give a backup as a file of this machine: one in S3 is downloaded, and deleted at the end. Raises Refused where it is absent."""
    if not is_s3(place):
        yield place
        return
    found = ConfigFile.read(request.config_file or CONFIG)
    config = found.require(request.mode) if found.text is not None else default_config(request.mode or "production")
    _, bucket, *key = place.parts
    with tempfile.TemporaryDirectory(prefix="sre-agent-backup-") as folder:
        path = Path(folder) / place.name
        with use_account(config, user, start=False) as account, path.open("wb") as file:
            if account is None:
                raise Refused(explain_missing_aws(None))
            if ask_or_refuse(account.aws, partial(download, account.aws, bucket, "/".join(key), file)) is None:
                raise Refused(_absent(f"s3://{bucket}/{'/'.join(key)}"))
        yield path


def _absent(uri: str) -> Problem:
    return Problem(
        code="BACKUP-MISSING",
        what=f"{uri} can't be read.",
        why="The bucket or the object does not exist, or it was deleted after backups.keep_days.",
        do=("List those of this deployment: `sre-agent-deploy backup --list --data`.", "Nothing was changed."),
    )


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

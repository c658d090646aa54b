"""The parts that one command works on: the configuration, the account, the state file with its lock, and the journal of a run.

`find_state` reads the configuration file, once, and the state. `open_workspace` opens the account as well.

While a run holds a lock, each of its changes needs the lock to be still its own. The same name is the same deployment, in any
folder: AWS shows since when it exists, not whose it is. `claims.py` notes on this machine who ran it and from where.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from sre_agent_deploy.account import local
from sre_agent_deploy.account.account import Account, open_local_account, open_production_account
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.commands import CONFIG, STATE, Mode, Request
from sre_agent_deploy.commands.claims import Claim, choose_claim, explain_missing_aws, find_elsewhere, read_claim
from sre_agent_deploy.commands.user import Question, User
from sre_agent_deploy.config.load import is_configuration, load_text
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.config.text_file import read_text
from sre_agent_deploy.deployment_tags import TTL_RESOURCE, read_location
from sre_agent_deploy.engine.inventory import Entry
from sre_agent_deploy.journal import Journal, lock
from sre_agent_deploy.journal.state import State
from sre_agent_deploy.journal.store import Store, is_s3, open_store
from sre_agent_deploy.plan import Plan
from sre_agent_deploy.progress import REPORT_AFTER, Event, Observer, Wait
from sre_core import clock
from sre_core.problem import Problem, Refused


@dataclass(frozen=True)
class ConfigFile:
    """A configuration file, read once and judged once for a mode; `text` is None if there is none."""

    path: Path
    text: str | Problem | None
    _judged: dict[Mode | None, Config | tuple[Problem, ...]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def read(cls, path: Path) -> ConfigFile:
        return cls(path, read_text(path) if path.exists() else None)

    def load(self, mode: Mode | None) -> Config | tuple[Problem, ...]:
        """Judge the file for a mode; None: the mode that it names itself."""
        own = self._judged.get(None)
        if isinstance(own, Config) and own.mode == mode:
            return own
        if mode not in self._judged:
            text = read_text(self.path) if self.text is None else self.text
            self._judged[mode] = (text,) if isinstance(text, Problem) else load_text(self.path, text, environ=os.environ, mode=mode)
        return self._judged[mode]

    def require(self, mode: Mode | None) -> Config:
        """Load the file. Raises Refused with every fault in it."""
        config = self.load(mode)
        if isinstance(config, tuple):
            raise Refused(*config)
        return config


@dataclass(frozen=True)
class Located:
    """The state of a deployment and where it is kept, and the configuration file that says so."""

    request: Request
    file: ConfigFile
    store: Store
    state: State | None

    @property
    def mode(self) -> Mode | None:
        return self.request.mode

    @property
    def named(self) -> bool:
        """True if the user named the configuration file."""
        return self.request.config_file is not None

    def of_deployed(self) -> Located:
        """Use the configuration that the state names, unless the user named one: config.yaml here may describe another deployment."""
        if self.named or self.state is None:
            return self
        path = Path(self.state.config_file)
        file = self.file if path == self.file.path.absolute() else ConfigFile.read(path)
        return replace(self, file=file, request=replace(self.request, mode=self.mode or self.state.mode))

    def config(self) -> Config:
        """Load the configuration. Raises Refused with every fault in it."""
        return self.file.require(self.mode)


def find_state(request: Request) -> Located:
    """Find and load the state: named by an option, else by the configuration, else in this folder.

    Raises Refused where the state can't be used. In local mode it is kept on this machine.
    """
    if request.deployment:
        _, claim = choose_claim(request.deployment)
        known = Request(mode="local" if claim.mode == "local" else None, state_file=Path(claim.state_file))
        return find_state(known).of_deployed()
    file = ConfigFile.read(request.config_file or CONFIG)
    loaded = file.load(request.mode) if file.text is not None else None
    # A faulty configuration is reported by the commands that need more of it than where the state is.
    config = None if isinstance(loaded, tuple) else loaded
    in_local_mode = config.mode == "local" if config else request.mode == "local"
    if request.state_file and is_s3(request.state_file) and in_local_mode:
        raise Refused(_local_state_in_s3(request.state_file))
    production = None if in_local_mode else config
    location = request.state_file or (production and production.state.location) or STATE
    store = open_store(location, lambda: _open_aws_of_state(production))
    state = load_state(store)
    if state and state.mode == "local" and is_s3(location):
        raise Refused(_local_state_in_s3(location))
    return Located(request, file, store, state)


def load_config(request: Request) -> Config:
    """Load a configuration without opening an account: the named one, config.yaml, else that of the deployment that this folder has.

    Raises Refused with every fault in it.
    """
    if request.deployment or not (request.config_file or CONFIG.exists()):
        return find_state(request).of_deployed().config()
    return ConfigFile.read(request.config_file or CONFIG).require(request.mode)


def find_config_file(request: Request) -> Path:
    """Find the file of a configuration: the named one, config.yaml, else that of the deployment that this folder has."""
    if request.config_file or CONFIG.exists():
        return request.config_file or CONFIG
    return find_state(request).of_deployed().file.path


def load_state(store: Store) -> State | None:
    """Load the state that a store keeps now. Raises Refused where it can't be used."""
    state = store.load()
    if isinstance(state, Problem):
        raise Refused(_explain_configuration(store.location) or state)
    return state


def _explain_configuration(location: str) -> Problem | None:
    """Explain that the file named as state is a configuration, if it is one."""
    path = Path(location)
    text = None if is_s3(location) else read_text(path)
    if not isinstance(text, str) or not is_configuration(path, text):
        return None
    return Problem(
        code="STATE-IS-CONFIG",
        what=f"{path} is a configuration, not a state file. It was not changed.",
        why="--state-file names the record of what a deployment has created.",
        do=(
            f"Pass it with --config: `--config {path}`.",
            "Leave --state-file out: the state file is usually .deployment_state in the folder of the deployment.",
        ),
    )


def _open_aws_of_state(config: Config | None) -> Aws:
    """Open the AWS that the configuration names, else the environment's. S3 itself redirects botocore to a bucket's region."""
    return open_production_account(config or default_config("production")).aws


def default_config(mode: str) -> Config:
    """Make the configuration of a command that has none: in production with the region of the environment."""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    elsewhere = {"aws": {"region": region}} if region and mode == "production" else {}
    return Config.model_validate({"mode": mode, **elsewhere})


@dataclass(frozen=True)
class Workspace:
    """The configuration, account, state and journal that a command works on."""

    config: Config
    config_file: Path
    account: Account
    store: Store
    state: State | None

    def reload_state(self) -> Workspace:
        """Load the state again: another process may have finished while this one waited for the lock."""
        return replace(self, state=keep_current(load_state(self.store), self.account))


@contextmanager
def open_workspace(located: Located, user: User, *, start: bool) -> Iterator[Workspace]:
    """Open everything that a command about AWS needs. `start` starts the local AWS if local mode has none yet."""
    if located.file.text is None:
        located = located.of_deployed()
    config = located.config()
    with use_account(config, user, start=start) as account:
        if account is None:
            raise Refused(explain_missing_aws(located.state))
        if ignored := find_ignored_region(config, os.environ):
            user.warn(ignored)
        if config.mode == "production" and account.aws.endpoint:
            user.warn(f"NOT Amazon's AWS: every call goes to {account.aws.endpoint.url}")
        yield Workspace(config, located.file.path, account, located.store, keep_current(located.state, account))


def find_ignored_region(config: Config, environ: Mapping[str, str]) -> str:
    """Say that the region of the environment is not used, if the configuration names none; empty where there is nothing to say."""
    name = next((name for name in ("AWS_REGION", "AWS_DEFAULT_REGION") if environ.get(name)), "")
    if config.mode != "production" or not name or "region" in config.aws.model_fields_set or environ[name] == config.aws.region:
        return ""
    return (
        f"{name} is {environ[name]} and is not used: the region is {config.aws.region}, the default of aws.region. "
        f"To deploy to the other one, set `aws.region: {environ[name]}` in the configuration."
    )


@contextmanager
def use_account(config: Config, user: User, *, start: bool) -> Iterator[Account | None]:
    """Open the account of a configuration; None if its local AWS does not run and is not to be started.

    A local AWS that no deployment needs when the command ends is stopped again.
    """
    if config.mode == "local":
        with report_if_slow(user.observe, "the local AWS to start", local.LONGEST_START):
            account = open_local_account(config, start=start)
    else:
        account = open_production_account(config)
    if isinstance(account, Problem):
        raise Refused(account)
    try:
        yield account
    finally:
        if account and account.registry:
            local.release_local_aws(account.registry)
            if account.registry.hold:
                account.registry.hold.close()


@contextmanager
def watch(account: Account, user: User) -> Iterator[Account]:
    """Show what the account's calls wait for, and let the user stop them. No question can be asked within."""
    with user.progress() as observe, user.stoppable() as stop:
        yield replace(account, aws=account.aws.with_progress(replace(account.aws.progress, observe=observe, stop=stop)))


@contextmanager
def report_if_slow(observe: Observer, what: str, within: timedelta, after: float = REPORT_AFTER) -> Iterator[None]:
    """Report what is waited for, and until when, once it takes longer than usual."""
    event = Event("waiting", "aws", what, wait=Wait("ready", clock.now() + within))
    timer = threading.Timer(after, lambda: observe(event))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def keep_current(state: State | None, account: Account) -> State | None:
    """Drop a state of a local AWS that no longer runs: its records describe nothing that exists.

    The state of one that still runs counts, also for a command about another account: only its records lead to what it created.
    Raises Refused if it runs with another HOME, where this command can't reach it.
    """
    start = state.aws.get("start_id") if state else None
    if state is None or not start:
        return state
    registry = account.registry or local.find_running()
    if registry and registry.start_id == start:
        return state
    if elsewhere := find_elsewhere(state):
        raise Refused(elsewhere)
    return None


def warn_if_locked(store: Store, user: User) -> None:
    """Say that another process works on the deployment: what is shown may be different a moment later."""
    if owner := store.lock_owner():
        user.warn(f"At work now: {owner}. What follows is as it is at this moment.")


def _local_state_in_s3(location: Path | str) -> Problem:
    return Problem(
        code="LOCAL-STATE-IN-S3",
        what=f"The state of a local deployment can't be in S3: {location}.",
        why="The mode is local, and local mode never calls a real account. A state in S3 is in one.",
        do=(
            "For a local deployment, leave --state-file out, or name a file of this machine.",
            "For a deployment to that account, use --mode production, or run the command where config.yaml says `mode: production`.",
        ),
    )


@contextmanager
def hold_state(store: Store, account: Account, command: str) -> Iterator[None]:
    """Hold the lock of a state, or raise Refused with its owner."""
    with store.lock(command) as lease, account.aws.fenced(lease.require):
        yield


@contextmanager
def hold_deployment(deployment: str, account: Account, command: str) -> Iterator[None]:
    """Hold this machine's lock of a deployment: another folder's state file is another lock, the same deployment is the same one."""
    with lock.hold_lock(lock.deployment_lock(deployment), command) as lease, account.aws.fenced(lease.require):
        yield


def find_tagged_store(parts: Iterable[Entry], account: Account) -> Store | None:
    """Open the store that the deployment's own tags name; None if they name none, or a bucket that is gone.

    Its state may be lost or damaged: the lock is there all the same.
    """
    location = read_location(parts)
    if not location or not is_s3(location):
        return None
    store = open_store(location, account.aws.separate)
    loaded = store.load()
    gone = isinstance(loaded, Problem) and loaded.context.get("aws_code") == "NoSuchBucket"
    return None if gone else store


def open_journal(deployment: str, *, config: Config, config_file: Path, account: Account, store: Store, state: State | None) -> Journal:
    """Open the journal of this deployment, or begin one. Raises Refused if the state is another deployment's."""
    require_own_state(deployment, state, store.location)
    fresh = State(deployment, account.aws.account_id, account.aws.region, config.mode, str(config_file.absolute()), account.origin())
    return Journal(store, state if state and state.deployment == deployment else fresh)


def require_own_state(deployment: str, state: State | None, location: str) -> None:
    """Raise Refused if the state records resources of another deployment."""
    if state and state.deployment != deployment and state.alive():
        raise Refused(_other_deployment(state, deployment, location))


def _other_deployment(state: State, deployment: str, path: str) -> Problem:
    return Problem(
        code="STATE-OTHER-DEPLOYMENT",
        what=f"{path} is the state of deployment {state.deployment}; this configuration is deployment {deployment}.",
        why="A deployment's id derives from account, region and name; one of them has changed.",
        do=(
            "Use another state file for this one: --state-file .deployment_state.other",
            f"Or delete the old one first: `sre-agent-deploy cleanup --deployment-id {state.deployment} --state-file {path}`.",
        ),
    )


def confirm_takeover(plan: Plan, state: State | None, state_file: str, user: User) -> None:
    """Ask before changing what exists of a deployment if this state file does not contain it."""
    known = state is not None and state.deployment == plan.deployment and state.alive()
    found = [change for change in plan.changes if change.id and not change.named]
    if known or not found:
        return
    since = next((str(change.outputs["created_at"]) for change in found if change.name == TTL_RESOURCE and change.outputs), "")
    claim = read_claim(plan.deployment)
    owner = str(claim) if claim else "this machine has no note of who deployed it"
    exists = f"{len(found)} resources of it exist{f', since {since}' if since else ''}; {owner}"
    question = Question(
        "Take it over with this configuration and this state file?",
        _exists_already(plan.deployment, exists, claim, state_file),
        lines=(f"Deployment {plan.deployment} exists already: {exists}.", f"The state file {state_file} does not contain it."),
    )
    user.confirm(question)


def _exists_already(deployment: str, exists: str, claim: Claim | None, state_file: str) -> Problem:
    own = f"Work with its own state file: --state-file {claim.state_file}" if claim else "Work in the folder where it was deployed."
    return Problem(
        code="DEPLOYMENT-EXISTS",
        what=f"Deployment {deployment} exists already, and the state file {state_file} does not contain it.",
        why=f"The account, the region and the name are the same as those of another deployment: {exists}.",
        do=(
            own,
            "For a second deployment, choose another `name` in the configuration.",
            "If its state file is lost, or it is to be managed from here, take it over: run the same command with --yes.",
        ),
    )

"""The deployment engine, many times over: each run is a process of its own, forked from one that has everything loaded.

`python -m behaviours.engine REGISTRY` reads one run a line from stdin (JSON: what to do, with which configuration and state
file, and where to die) and answers with one line: how it ended. A run that is killed is killed by SIGKILL; a fork costs a
hundredth of what starting Python and boto3 costs, and nothing that a run opened survives it.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

from fixtures import preloaded

if TYPE_CHECKING:
    from behaviours.killed_at import Doom
    from sre_agent_deploy.account.account import Account
    from sre_agent_deploy.config.models import Config
    from sre_agent_deploy.graph import Blueprint
    from sre_agent_deploy.journal.state import State
    from sre_agent_deploy.journal.store import Store
    from sre_agent_deploy.plan import Plan

SERVICES = (
    "s3",
    "ec2",
    "iam",
    "secretsmanager",
    "cognito-idp",
    "bedrock-agentcore-control",
    "bedrock-agentcore",
    "budgets",
    "dynamodb",
    "logs",
)


LEASE = timedelta(seconds=3)
"""The lease of a state in S3, so that a test need not wait for minutes."""


@dataclass(frozen=True)
class Ran:
    """The end of a run: its exit status (negative: the signal that killed it), its mutating calls, and its messages."""

    code: int
    calls: tuple[str, ...]
    said: str
    asleep: int = 0
    """The process number of a run that was stopped and has not ended."""

    @property
    def killed(self) -> bool:
        return self.code == -9


class Engine:
    """Runs of the engine against one local AWS."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def deploy(self, folder: Path, **how: str) -> Ran:
        """Plan and apply `folder/config.yaml`, with its state in that folder; a second run resumes the first.

        With `parts`, names with spaces between, only these resources and what they need.
        """
        return self._run(do="deploy", folder=str(folder), **how)

    def restore(self, folder: Path, **how: str) -> Ran:
        """Deploy `folder/config.yaml`, or `parts` of it, and put back what `folder/backup.zip` has; a second run goes on."""
        return self._run(do="restore", folder=str(folder), **how)

    def cleanup(self, folder: Path, **where_to_die: str) -> Ran:
        """Clean up what the state in that folder has recorded."""
        return self._run(do="cleanup", folder=str(folder), **where_to_die)

    def unlock(self, folder: Path, **where: str) -> Ran:
        """Take the lock of the state away from its owner."""
        return self._run(do="unlock", folder=str(folder), **where)

    def wake(self, folder: Path, asleep: int) -> Ran:
        """Let a run go on that was stopped, until it ends."""
        return self._run(do="wake", folder=str(folder), process=str(asleep))

    def _run(self, **order: str) -> Ran:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return Ran(answer["code"], tuple(answer["calls"]), answer["said"], answer["asleep"])


@contextmanager
def engine(registry_file: Path, environ: Mapping[str, str]) -> Iterator[Engine]:
    """An engine for the local AWS of this registry file; it ends with the block."""
    command = preloaded.command("behaviours.engine", str(registry_file))
    environ = {**os.environ, **environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ) as process:
        try:
            yield Engine(process)
        finally:
            assert process.stdin
            process.stdin.close()
            process.wait(timeout=120)


def _serve(registry_file: Path) -> None:
    from sre_agent_deploy.account import local  # loaded here, so that no run has to

    local.scrub_environment()
    registry = local.parse_registry(registry_file, json.loads(registry_file.read_text()))
    drawn: dict[str, tuple[Config, Blueprint]] = {}
    place = _place(registry)
    for line in sys.stdin:
        order = json.loads(line)
        text = (Path(order["folder"]) / "config.yaml").read_text()
        if text not in drawn:
            drawn[text] = _drawn(Path(order["folder"]) / "config.yaml", registry)
            gc.freeze()  # no run looks for garbage in what it inherits
        print(json.dumps(_forked(order, place, *drawn[text])), flush=True)


def _place(registry: Any) -> Account:
    """Clients that no call has gone through yet: runs inherit them, and share no connection."""
    from behaviours.killed_at import watch
    from sre_agent_deploy.account.account import Account

    place = Account(registry.aws("us-east-1"), registry)
    for service in SERVICES:
        client = place.aws.client(service)
        # Watched after the fence is there, which may wait for the lease while no change is under way.
        watch(client, _asked)
        # The answer is the same for every operation: it reads how all lists of the service are paged, which each run would read
        # again.
        client.can_paginate(next(iter(client.meta.method_to_api_mapping)))
    return place


def _drawn(config_file: Path, registry: Any) -> tuple[Config, Blueprint]:
    from sre_agent_deploy.account.account import Account
    from sre_agent_deploy.commands.plan import draw_blueprint
    from sre_agent_deploy.config.load import load

    config = load(config_file, environ={}, mode="local")
    assert not isinstance(config, tuple), config
    return config, draw_blueprint(config, Account(registry.aws("us-east-1"), registry), None)


def _unharmed(count: int, operation: str, label: str) -> str:
    return ""


_doom: Doom = _unharmed


def _asked(count: int, operation: str, label: str) -> str:
    # Clients are watched before the fate of a run is chosen.
    return _doom(count, operation, label)


def _forked(order: Mapping[str, str], place: Account, config: Config, wanted: Blueprint) -> dict[str, Any]:
    """Run one order in a child, and return how it ended."""
    if order["do"] == "wake":
        os.kill(int(order["process"]), signal.SIGCONT)
        return _ended(int(order["process"]), Path(order["folder"]))
    child = os.fork()
    if child == 0:
        said, calls = _files(Path(order["folder"]), os.getpid())
        said.write_text("")
        calls.write_text("")
        code = 70
        try:
            _arm(order, calls)
            code = _run_command(order, place, config, wanted, said)
        except BaseException:  # noqa: BLE001  # the child must never return into the parent's loop
            said.write_text(said.read_text() + traceback.format_exc())
        finally:
            os._exit(code)
    return _ended(child, Path(order["folder"]))


def _ended(child: int, folder: Path) -> dict[str, Any]:
    """Wait until a child ends or is stopped."""
    _, status = os.waitpid(child, os.WUNTRACED)
    said, calls = _files(folder, child)
    asleep = os.WIFSTOPPED(status)
    code = 0 if asleep else os.waitstatus_to_exitcode(status)
    return {"code": code, "calls": calls.read_text().splitlines(), "said": said.read_text(), "asleep": child if asleep else 0}


def _files(folder: Path, process: int) -> tuple[Path, Path]:
    """Return the files with what a run says and what it calls."""
    return folder / f"{process}.said", folder / f"{process}.calls"


def _arm(order: Mapping[str, str], calls: Path) -> None:
    """Record every mutating call, and choose where to die."""
    global _doom  # noqa: PLW0603  # the child's own
    from behaviours.killed_at import at, make_changes_one_by_one

    if "ratchet" in order:
        chosen = ratchet(Path(order["ratchet"]), order["moments"].split(), one_in=int(order["one_in"]), seed=int(order["seed"]))
    else:
        chosen = at(order["nth"], order["moment"]) if "nth" in order else _unharmed
    if order.get("moment") == "asleep":
        make_changes_one_by_one()
    log = os.open(calls, os.O_WRONLY | os.O_APPEND)

    def noted(count: int, operation: str, label: str) -> str:
        os.write(log, f"{label}\n".encode())
        return chosen(count, operation, label)

    _doom = noted


def ratchet(deaths: Path, moments: list[str], *, one_in: int, seed: int) -> Doom:
    """Die at the first call and moment that no run has died at yet; `deaths` remembers them. No other call is sent meanwhile.

    The first run dies at its first call. Of so many others one is chosen by the seed; the rest is never died at. A creation that AWS
    has committed is not sent again, so half of them die at another moment first.
    """
    tried = set(deaths.read_text().splitlines()) if deaths.exists() else set()
    dying = threading.Lock()

    def doom(count: int, operation: str, label: str) -> str:
        if tried and crc32(f"{seed} {label}".encode()) % one_in:
            return ""
        later = [moment for moment in moments if moment != "before"][:: 1 if crc32(label.encode()) % 2 else -1]
        order = [*(moment for moment in moments if moment == "before"), *later]
        moment = next((moment for moment in order if f"{moment} {label}" not in tried), "")
        if not moment:
            return ""
        dying.acquire()  # never released: later threads wait for the end
        with deaths.open("a") as file:
            file.write(f"{moment} {label}\n")
        return moment

    return doom


def _run_command(order: Mapping[str, str], place: Account, config: Config, wanted: Blueprint, said: Path) -> int:
    from sre_agent_deploy.commands.workspace import hold_state
    from sre_agent_deploy.progress import Progress
    from sre_core.problem import Problem, Refused

    place = replace(place, aws=place.aws.with_progress(Progress(config.retries.limits())))
    wanted = wanted.limit(order.get("parts", "").split())
    store = _store(order, place)
    try:
        if order["do"] == "unlock":
            taken = store.unlock()
            said.write_text(str(taken))
            return 1 if isinstance(taken, Problem) else 0
        with hold_state(store, place, order["do"]):
            state = store.load()
            assert not isinstance(state, Problem), state
            work = {"deploy": _deployed, "restore": _restored}.get(order["do"], _cleaned)
            problems = work(place, config, wanted, store, state)
    except Refused as refused:
        problems = refused.problems
    said.write_text("\n\n".join(map(str, problems)))
    return 1 if problems else 0


def _store(order: Mapping[str, str], place: Account) -> Store:
    """Open the state: a file in the folder, or the object of the order, with a short lease and clients of its own."""
    from sre_agent_deploy.journal.s3_store import S3Store
    from sre_agent_deploy.journal.store import FileStore

    if "bucket" not in order:
        return FileStore(Path(order["folder"]) / ".deployment_state")
    assert place.registry
    return S3Store(place.registry.aws("us-east-1"), order["bucket"], Path(order["folder"]).name, LEASE)


def _deployed(place: Account, config: Config, wanted: Blueprint, store: Store, state: State | None) -> tuple[Any, ...]:
    return _applied(place, config, wanted, store, state)[1]


def _applied(place: Account, config: Config, wanted: Blueprint, store: Store, state: State | None) -> tuple[Plan, tuple[Any, ...]]:
    """Plan and apply; returns the plan and the problems."""
    from sre_agent_deploy.commands.plan import plan_deployment
    from sre_agent_deploy.commands.switch import apply_plan
    from sre_agent_deploy.commands.workspace import open_journal

    file = Path(store.location).with_name("config.yaml")
    journal = open_journal(wanted.deployment, config=config, config_file=file, account=place, store=store, state=state)
    plan = plan_deployment(place, wanted, state)
    if plan.problems:
        return plan, plan.problems
    journal.begin_run("deploy")
    return plan, tuple(apply_plan(place, wanted, plan, journal, lambda event: None).problems)


def _restored(place: Account, config: Config, wanted: Blueprint, store: Store, state: State | None) -> tuple[Any, ...]:
    """Do what `restore --data` does with a passphrase that opens `api-key` beside it, but for its questions and the verification.

    All resources are there, so its plan is as right after the deployment as before.
    """
    from sre_agent_deploy.backup.contents import Secrets
    from sre_agent_deploy.backup.data import DataBackup, open_data
    from sre_agent_deploy.checks.verification.endpoint_client import Answer, Client, Endpoints
    from sre_agent_deploy.commands.restore import Restore, put_back
    from sre_agent_deploy.commands.rotate import Rotation
    from sre_agent_deploy.commands.user import UNATTENDED
    from sre_agent_deploy.names import API_KEY
    from sre_agent_deploy.resources.secretsmanager_calls import read_stages, read_values
    from sre_core.secret import Secret

    class NoMachine(Endpoints):
        """Backends that accept what a machine would write for them at this moment."""

        def http(self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Answer:
            id = plan.change("backend_key").id
            keys = {read_values(place.aws, id, stage)[API_KEY].reveal() for stage in read_stages(place.aws, id)}
            return Answer(200 if (headers or {})["X-API-Key"] in keys else 401, b"", {})

    plan, problems = _applied(place, config, wanted, store, state)
    if problems:
        return problems
    backup, client = open_data(Path(store.location).with_name("backup.zip")), Client("", Secret(""), "")
    assert isinstance(backup, DataBackup) and plan.nothing_to_do
    endpoints = NoMachine("https://machine.invalid", "", "", "", client, client, ())
    opened = Secrets(values={"backend_key": {API_KEY: Secret(Path(store.location).with_name("api-key").read_text())}})
    restore = Restore(backup, opened, config, plan, place.aws)
    put_back(restore, Rotation(place.aws, plan, endpoints, timedelta(0), UNATTENDED), None)
    return ()


def _cleaned(place: Account, config: Config, wanted: Blueprint, store: Store, state: State | None) -> tuple[Any, ...]:
    from sre_agent_deploy.engine.delete import clean_up
    from sre_agent_deploy.journal import Journal

    return tuple(clean_up(place.aws, wanted.deployment, Journal(store, state) if state else None).problems)


if __name__ == "__main__":
    from behaviours import engine as this_module

    this_module._serve(Path(sys.argv[1]))

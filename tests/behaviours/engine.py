"""The deployment engine, many times over: each run is a process of its own, forked from one that has everything loaded.

`python -m behaviours.engine REGISTRY` reads one run a line from stdin (JSON: what to do, with which configuration and state
file, and where to die) and answers with one line: how it ended. A run that is killed is killed by SIGKILL; a fork costs a
hundredth of what starting Python and boto3 costs, and nothing that a run opened survives it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

from fixtures import preloaded

if TYPE_CHECKING:
    from behaviours.killed_at import Doom
    from sre_agent_deploy.account.account import Account
    from sre_agent_deploy.config.models import Config
    from sre_agent_deploy.graph import Blueprint
    from sre_agent_deploy.journal.file_store import FileStore
    from sre_agent_deploy.journal.state import State

SERVICES = ("s3", "ec2", "iam", "secretsmanager", "cognito-idp", "bedrock-agentcore-control", "budgets")


@dataclass(frozen=True)
class Ran:
    """The end of a run: its exit status (negative: the signal that killed it), its mutating calls, and its messages."""

    code: int
    calls: tuple[str, ...]
    said: str

    @property
    def killed(self) -> bool:
        return self.code == -9


class Engine:
    """Runs of the engine against one local AWS."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def deploy(self, folder: Path, **where_to_die: str) -> Ran:
        """Plan and apply `folder/config.yaml`, with its state in that folder; a second run resumes the first."""
        return self._run(do="deploy", folder=str(folder), **where_to_die)

    def cleanup(self, folder: Path, **where_to_die: str) -> Ran:
        """Clean up what the state in that folder has recorded."""
        return self._run(do="cleanup", folder=str(folder), **where_to_die)

    def _run(self, **order: str) -> Ran:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return Ran(answer["code"], tuple(answer["calls"]), answer["said"])


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
        print(json.dumps(_forked(order, place, *drawn[text])), flush=True)


def _place(registry: Any) -> Account:
    """Clients that no call has gone through yet: runs inherit them, and share no connection."""
    from behaviours.killed_at import watch
    from sre_agent_deploy.account.account import Account

    place = Account(registry.aws("us-east-1"), registry)
    for service in SERVICES:
        client = place.aws.client(service)
        watch(client, _asked)
        # Whichever is asked about: the answer reads how all lists of the service are paged, which each run would read again.
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
    said, calls = Path(order["folder"]) / "said", Path(order["folder"]) / "calls"
    said.write_text("")
    calls.write_text("")
    child = os.fork()
    if child == 0:
        code = 70
        try:
            _arm(order, calls)
            code = _carried_out(order, place, config, wanted, said)
        except BaseException:  # noqa: BLE001  # the child must never return into the parent's loop
            said.write_text(said.read_text() + traceback.format_exc())
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return {"code": os.waitstatus_to_exitcode(status), "calls": calls.read_text().splitlines(), "said": said.read_text()}


def _arm(order: Mapping[str, str], calls: Path) -> None:
    """Record every mutating call, and choose where to die."""
    global _doom  # noqa: PLW0603  # the child's own
    from behaviours.killed_at import at

    if "ratchet" in order:
        chosen = ratchet(Path(order["ratchet"]), order["moments"].split())
    else:
        chosen = at(order["nth"], order["moment"]) if "nth" in order else _unharmed
    log = os.open(calls, os.O_WRONLY | os.O_APPEND)

    def noted(count: int, operation: str, label: str) -> str:
        os.write(log, f"{label}\n".encode())
        return chosen(count, operation, label)

    _doom = noted


def ratchet(deaths: Path, moments: list[str]) -> Doom:
    """Die at the first call and moment that nobody has died at yet; `deaths` remembers them. No other call is sent meanwhile.

    A birth that AWS has committed is not sent again, so half of them die at another moment first.
    """
    tried = set(deaths.read_text().splitlines()) if deaths.exists() else set()
    dying = threading.Lock()

    def doom(count: int, operation: str, label: str) -> str:
        order = moments[:1] + moments[1:][:: 1 if crc32(label.encode()) % 2 else -1]
        moment = next((moment for moment in order if f"{moment} {label}" not in tried), "")
        if not moment:
            return ""
        dying.acquire()  # never released: later threads wait for the end
        with deaths.open("a") as file:
            file.write(f"{moment} {label}\n")
        return moment

    return doom


def _carried_out(order: Mapping[str, str], place: Account, config: Config, wanted: Blueprint, said: Path) -> int:
    from sre_agent_deploy.journal.file_store import FileStore
    from sre_agent_deploy.journal.lock import hold_lock
    from sre_core.problem import Problem

    store = FileStore(Path(order["folder"]) / ".deployment_state")
    with hold_lock(store.path, order["do"]):
        state = store.load()
        assert not isinstance(state, Problem), state
        work = _deployed if order["do"] == "deploy" else _cleaned
        problems = work(place, config, wanted, store, state)
    said.write_text("\n\n".join(map(str, problems)))
    return 1 if problems else 0


def _deployed(place: Account, config: Config, wanted: Blueprint, store: FileStore, state: State | None) -> tuple[Any, ...]:
    from sre_agent_deploy.commands.deploy import apply_plan, open_journal
    from sre_agent_deploy.commands.plan import plan_deployment

    file = store.path.with_name("config.yaml")
    journal = open_journal(wanted.deployment, config=config, config_file=file, account=place, store=store, state=state)
    plan = plan_deployment(place, wanted, state)
    if plan.problems:
        return plan.problems
    journal.begin_run("deploy")
    return tuple(apply_plan(place, wanted, plan, journal, lambda event: None).problems)


def _cleaned(place: Account, config: Config, wanted: Blueprint, store: FileStore, state: State | None) -> tuple[Any, ...]:
    from sre_agent_deploy.engine.delete import clean_up
    from sre_agent_deploy.journal.journal import Journal

    return tuple(clean_up(place.aws, wanted.deployment, Journal(store, state) if state else None).problems)


if __name__ == "__main__":
    from behaviours import engine as this_module

    this_module._serve(Path(sys.argv[1]))

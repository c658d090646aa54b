"""`logs` and `exec`: what runs on the machine of a deployment. In local mode its logs are files here; on EC2 it takes a session."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, NoReturn

from sre_agent_deploy.account import local
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import ask_or_refuse
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.claims import explain_missing_aws, is_running
from sre_agent_deploy.commands.cleanup import config_for_cleanup
from sre_agent_deploy.commands.status import require_state
from sre_agent_deploy.commands.user import UNATTENDED, User
from sre_agent_deploy.commands.workspace import use_account
from sre_agent_deploy.instance.systemd import unit_name
from sre_agent_deploy.journal.state import State
from sre_agent_deploy.later import require_known
from sre_agent_deploy.resources import ec2_boot
from sre_agent_deploy.resources.ec2_instance import Ec2Instance
from sre_core import release
from sre_core.nearest import find_nearest
from sre_core.problem import Problem, Refused

BOOT = "boot"
_PROGRAMS = ("aws", "session-manager-plugin")
_AGAIN_AFTER = 0.3


@dataclass(frozen=True)
class LogFile:
    """The log of one service on this machine."""

    service: str
    path: Path


def find_logs(request: Request, service: str = "") -> tuple[State, tuple[LogFile, ...]]:
    """Find the logs of a deployment: files in local mode, none on EC2. Raises Refused if there is no such service."""
    _, state = require_state(request, "logs")
    names = [each.name for each in release.services()]
    if service and service not in (*names, BOOT):
        raise Refused(_service_unknown(service, (*names, BOOT)))
    if state.mode != "local":
        return state, ()
    folder = _log_folder(state)
    files = (LogFile(name, folder / f"{name}.log") for name in names if service in ("", name))
    return state, tuple(file for file in files if file.path.exists())


def _log_folder(state: State) -> Path:
    """Return the folder in which the machine of a local deployment keeps its logs."""
    registry = local.find_running()
    return Path((registry.service_logs if registry else "").replace("*", instance_id(state)))


def read_lines(files: Sequence[LogFile], count: int, *, follow: bool) -> Iterator[tuple[str, str]]:
    """Read the last lines of each log with its service; with `follow` also those that are written from now on, without end."""
    opened = [(file.service, file.path.open(encoding="utf-8", errors="replace")) for file in files]
    try:
        for service, lines in opened:
            yield from ((service, line.rstrip("\n")) for line in deque(lines, maxlen=count))
        while follow:
            yield from _read_new(opened)
            time.sleep(_AGAIN_AFTER)
    finally:
        for _, lines in opened:
            lines.close()


def _read_new(opened: Sequence[tuple[str, IO[str]]]) -> Iterator[tuple[str, str]]:
    for service, lines in opened:
        yield from ((service, line.rstrip("\n")) for line in lines)


def read_boot(request: Request, user: User = UNATTENDED) -> tuple[ec2_boot.Status, ...]:
    """Read what the bootstrap of the machine reported, step by step. It asks AWS, in either mode."""
    located, state = require_state(request, "logs")
    with use_account(config_for_cleanup(located, state), user, start=False) as account:
        if account is None:
            raise Refused(explain_missing_aws(state))
        return ask_or_refuse(account.aws, partial(_read_boot, account.aws, instance_id(state)))


def _read_boot(aws: Aws, id: str) -> tuple[ec2_boot.Status, ...]:
    found = Ec2Instance.read(aws, id, "instance")
    return ec2_boot.read_reports(aws, require_known(found.seen.status_uri), id) if found else ()


def log_command(service: str, count: int, *, follow: bool) -> str:
    """Write the command that shows the log of a service, or of all, on an EC2 instance (pure)."""
    unit = unit_name(service) if service else unit_name("*")
    return f"sudo journalctl --no-pager -n {count} -u {shlex.quote(unit)}{' -f' if follow else ''}"


def session_command(state: State, command: str = "") -> list[str]:
    """Write the AWS CLI's command that runs a command on the machine, or opens a shell (pure)."""
    endpoint = state.aws.get("endpoint", "")
    base = ["aws", "ssm", "start-session", "--region", state.region, "--target", instance_id(state)]
    base += ["--endpoint-url", endpoint] if endpoint else []
    if not command:
        return base
    return [*base, "--document-name", "AWS-StartInteractiveCommand", "--parameters", json.dumps({"command": [command]})]


def run_on_machine(request: Request, command: str = "") -> NoReturn:
    """Replace this process by a session on the machine. Raises Refused in local mode, or with the exact command if a program is missing."""
    _, state = require_state(request, "exec")
    run_session(state, command)


def run_session(state: State, command: str) -> NoReturn:
    """Replace this process by the AWS CLI's session."""
    if state.mode == "local":
        raise Refused(_runs_here(state))
    words = session_command(state, command)
    if missing := [program for program in _PROGRAMS if not shutil.which(program)]:
        raise Refused(_program_missing(missing, words))
    os.execvp(words[0], words)  # noqa: S606  # the words are ours, and no shell reads them


def instance_id(state: State) -> str:
    """Return the id of the machine. Raises Refused if the state has none yet."""
    record = state.current("instance")
    if record is None or not record.id:
        raise Refused(_no_machine(state))
    return record.id


def _service_unknown(service: str, known: Sequence[str]) -> Problem:
    alike = find_nearest(service, known)
    return Problem(
        code="SERVICE-UNKNOWN",
        what=f"No service of a deployment is called {service}.",
        why=f"There are: {', '.join(known)}; {BOOT} is what the bootstrap of the machine reported.",
        do=(*((f"Did you mean `sre-agent-deploy logs {alike}`?",) if alike else ()), "For all of them: `sre-agent-deploy logs`."),
    )


def _no_machine(state: State) -> Problem:
    return Problem(
        code="MACHINE-NOT-CREATED",
        what=f"Deployment {state.deployment} has no machine yet.",
        why="Its instance was not created, or it was deleted.",
        do=("Finish the deployment: `sre-agent-deploy resume`.", "See what exists: `sre-agent-deploy status`."),
    )


def _runs_here(state: State) -> Problem:
    return Problem(
        code="MACHINE-IS-THIS-ONE",
        what=f"Deployment {state.deployment} has no machine of its own to run a command on.",
        why="In local mode its services are processes of this machine.",
        do=(
            "Read what they log: `sre-agent-deploy logs -f`.",
            f"Look at their files: `cd {_log_folder(state).parent}`." if is_running(state) else "Start it: `sre-agent-deploy deploy`.",
        ),
    )


def _program_missing(missing: list[str], words: list[str]) -> Problem:
    return Problem(
        code="SESSION-PROGRAM-MISSING",
        what=f"This machine lacks {' and '.join(missing)}, through which a session is opened.",
        why="Port 22 of the machine is closed. Session Manager is the way in, and its programs are not part of this tool.",
        do=(
            "Install them; `sre-agent-deploy doctor` says where from.",
            f"Or run this where they are installed: {shlex.join(words)}",
        ),
    )

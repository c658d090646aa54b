"""The commands `python -m embedded_aws start|status|stop|env|serve`."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from embedded_aws import daemon, problems, registry
from embedded_aws.daemon import State
from embedded_aws.faults.faults import Faults
from embedded_aws.faults.rules import RuleFile, read
from embedded_aws.pace import PACE
from embedded_aws.registry import Registry
from sre_core.problem import Problem

NOT_RUNNING = 3  # as init scripts do: https://refspecs.linuxbase.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/iniscrptact.html


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parsed = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = parsed.command
    return command(parsed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m embedded_aws", description="The local AWS, for this machine alone.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[argparse.Namespace], int], promise: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=promise, description=promise)
        added.add_argument("--state-dir", type=lambda text: Path(text).absolute(), required=True, metavar="DIR", help="where its files are")
        added.set_defaults(command=command)
        return added

    start = add("start", _start, "start it in the background, unless it already runs, and print its registry")
    start.add_argument("--region")
    add("status", _status, "print whether it runs; exit code 0 when it does, 3 when it does not")
    add("stop", _stop, "end it and every process it started")
    add("env", _env, "print shell lines that make the AWS CLI and the SDKs use it")
    serve = add("serve", _serve, "run it in the foreground until Ctrl+C")
    serve.add_argument("--region", default=daemon.DEFAULT_REGION)
    for command in (start, serve):
        command.add_argument("--no-boot", action="store_true", help="instances start nothing, and report at once that they are ready")
        command.add_argument("--boot-with", type=shlex.split, default=[], metavar="COMMAND", help="a command that boots each instance")
        command.add_argument("--faults", type=Path, metavar="FILE", help="fault rules as JSON; read again when the file changes")
        command.add_argument(
            "--bedrock-script", type=lambda text: Path(text).absolute(), metavar="FILE", help="how Bedrock's models answer, as JSON"
        )
    serve.add_argument("--at-once", action="store_true", help="nothing stays in CREATING, UPDATING or DELETING for a moment")
    serve.add_argument("--ready-fd", type=int, help=argparse.SUPPRESS)
    return parser


def _start(parsed: argparse.Namespace) -> int:
    if isinstance(unusable := _read_faults(parsed.faults), Problem):
        return _refuse(unusable)
    boots = ("--no-boot",) if parsed.no_boot else ()
    program = ("--boot-with", shlex.join(parsed.boot_with)) if parsed.boot_with else ()
    faults = ("--faults", str(parsed.faults.absolute())) if parsed.faults else ()
    bedrock = ("--bedrock-script", str(parsed.bedrock_script)) if parsed.bedrock_script else ()
    outcome = daemon.start(parsed.state_dir, parsed.region, *boots, *program, *faults, *bedrock)
    if isinstance(outcome, Problem):
        return _refuse(outcome)
    print(json.dumps(outcome.to_json(), indent=2))
    return 0


def _status(parsed: argparse.Namespace) -> int:
    found = registry.read(parsed.state_dir)
    state = daemon.state_of(found)
    if found is None or state is not State.RUNNING:
        print(state.value)
        return _refuse(problems.not_running(parsed.state_dir, state.value), NOT_RUNNING)
    print(f"{state.value}: {found.endpoint} (account {found.account_id}, {found.region}, process {found.process.pid})")
    return 0


def _stop(parsed: argparse.Namespace) -> int:
    outcome = daemon.stop(parsed.state_dir)
    if isinstance(outcome, Problem):
        return _refuse(outcome)
    print(State.STOPPED.value if outcome is State.RUNNING else f"nothing to stop: {outcome.value}")
    return 0


def _env(parsed: argparse.Namespace) -> int:
    found = registry.read(parsed.state_dir)
    state = daemon.state_of(found)
    if found is None or state is not State.RUNNING:
        return _refuse(problems.not_running(parsed.state_dir, state.value), NOT_RUNNING)
    print("\n".join(_environment(found)))
    return 0


def _environment(found: Registry) -> list[str]:
    variables = {
        "AWS_ENDPOINT_URL": found.endpoint,
        # A setting of the user could make clients ignore the line above, and reach the real AWS.
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
        "AWS_CA_BUNDLE": str(found.ca_file),
        "AWS_ACCESS_KEY_ID": found.access_key_id,
        "AWS_SECRET_ACCESS_KEY": found.secret_access_key.reveal(),
        "AWS_REGION": found.region,
        "AWS_DEFAULT_REGION": found.region,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    exports = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    return [*exports, "unset AWS_SESSION_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE"]


def _serve(parsed: argparse.Namespace) -> int:
    os.umask(0o077)
    if problem := daemon.prepare(parsed.state_dir):
        return _refuse(problem)
    if parsed.ready_fd is not None:
        daemon.detach()
    with daemon.try_lock(parsed.state_dir) as alone:
        if not alone:
            return _refuse_second(parsed)
        return _run(parsed)


def _run(parsed: argparse.Namespace) -> int:
    import asyncio
    import gc

    import uvloop

    # What a start loads stays: looking for garbage in it costs a sixth of the start.
    gc.disable()
    from embedded_aws import server
    from embedded_aws.strict.patching import MotoMoved

    faults = _read_faults(parsed.faults)
    if isinstance(faults, Problem):
        return _refuse(faults)

    def ready(started: Registry) -> None:
        gc.freeze()
        gc.enable()
        if parsed.ready_fd is None:
            print(json.dumps(started.to_json(), indent=2), flush=True)
        else:
            _report(parsed.ready_fd, daemon.READY)

    if parsed.at_once:
        PACE.hurry()
    try:
        boot_with = tuple(parsed.boot_with)
        settings = server.Settings(parsed.state_dir, parsed.region, not parsed.no_boot, boot_with, faults, parsed.bedrock_script)
        # A call takes a twentieth less than with asyncio's own loop.
        asyncio.run(server.serve(settings, ready), loop_factory=uvloop.new_event_loop)
    except MotoMoved as moved:
        return _refuse(problems.moto_moved(str(moved)))
    return 0


def _read_faults(file: Path | None) -> Faults | Problem:
    if file is None:
        return Faults()
    followed, rules = RuleFile(file), read(file)
    return rules if isinstance(rules, Problem) else Faults(rules, followed)


def _refuse_second(parsed: argparse.Namespace) -> int:
    if parsed.ready_fd is not None:
        _report(parsed.ready_fd, daemon.BUSY)
        return 0
    found = registry.read(parsed.state_dir)
    running = found is not None and found.running()
    return _refuse(problems.already_running(found) if found and running else problems.being_started(parsed.state_dir))


def _report(descriptor: int, word: bytes) -> None:
    os.write(descriptor, word)
    os.close(descriptor)


def _refuse(problem: Problem, code: int = 1) -> int:
    print(problem, file=sys.stderr)
    return code

"""The Problems of the commands of the local AWS."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from embedded_aws.registry import Registry
from sre_core.problem import Problem

_SHOWN_LINES = 20


def not_running(state_dir: Path, state: str) -> Problem:
    return Problem(
        code="EMBEDDED-AWS-NOT-RUNNING",
        what=f"The local AWS of the state folder {state_dir} is not running.",
        why=f"Its state is: {state}. Its resources were kept in memory and are lost.",
        do=(f"Start it: python -m embedded_aws start --state-dir {state_dir}",),
    )


def no_state_dir(state_dir: Path, error: OSError) -> Problem:
    return Problem(
        code="EMBEDDED-AWS-NO-STATE-DIR",
        what=f"The state folder {state_dir} can't be created.",
        why=str(error),
        do=("Name a folder that you may write to: --state-dir DIR",),
    )


def already_running(found: Registry) -> Problem:
    return Problem(
        code="EMBEDDED-AWS-ALREADY-RUNNING",
        what=f"The local AWS of this state folder is already running, as process {found.process.pid}.",
        why="A state folder has one local AWS, so that all programs use the same one.",
        do=(
            f'To use it in this shell: eval "$(python -m embedded_aws env --state-dir {found.ca_file.parent})"',
            "To run a second one, name another folder: --state-dir DIR",
        ),
        context={"endpoint": found.endpoint},
    )


def being_started(state_dir: Path) -> Problem:
    return Problem(
        code="EMBEDDED-AWS-BEING-STARTED",
        what="Another process is starting or ending the local AWS of this state folder.",
        why=f"That process has locked {state_dir / 'embedded-aws.lock'}.",
        do=(f"Wait until it is done: python -m embedded_aws status --state-dir {state_dir}", "Then run the same command again."),
    )


def other_region(found: Registry, region: str) -> Problem:
    return Problem(
        code="EMBEDDED-AWS-OTHER-REGION",
        what=f"The running local AWS has region {found.region}, not {region}.",
        why="A local AWS has one region for as long as it runs.",
        do=(
            f"Use the region that runs: --region {found.region}",
            f"Or stop it, which deletes its resources: python -m embedded_aws stop --state-dir {found.ca_file.parent}",
        ),
        context={"endpoint": found.endpoint},
    )


def died_at_start(log_file: Path, output: str) -> Problem:
    shown = "\n".join(output.strip().splitlines()[-_SHOWN_LINES:])
    return Problem(
        code="EMBEDDED-AWS-DIED-AT-START",
        what="The local AWS ended before it answered.",
        why=shown or "It wrote nothing to its log.",
        do=(
            "Read the output above. If a package is missing, install it: pip install 'sre-agent[local]'",
            "In a checkout: pip install '.[local]'",
            "Run the same command again.",
        ),
        context={"log": str(log_file)},
    )


def start_took_too_long(log_file: Path, seconds: float) -> Problem:
    return Problem(
        code="EMBEDDED-AWS-START-TOO-SLOW",
        what=f"The local AWS did not answer within {seconds:.0f} seconds.",
        why="The machine is overloaded, or another start does not finish.",
        do=(
            f"See what it waits for: tail {log_file}",
            "Run the same command again: it uses the local AWS if that has started meanwhile.",
        ),
    )


def does_not_end(found: Registry) -> Problem:
    return Problem(
        code="EMBEDDED-AWS-DOES-NOT-END",
        what=f"Process {found.process.pid} did not end, not even after SIGKILL.",
        why="It belongs to another user, or it waits in a system call that can't be interrupted.",
        do=(
            f"Look at it: ps -o pid,user,stat,wchan,command -p {found.process.pid}",
            f"Run the command again as its owner: python -m embedded_aws stop --state-dir {found.ca_file.parent}",
        ),
    )


def moto_moved(part: str) -> Problem:
    """Report that the installed moto has other private parts than the ones this version replaces."""
    return Problem(
        code="EMBEDDED-AWS-OTHER-MOTO",
        what=f"The local AWS can't use moto {version('moto')}: {part}.",
        why="The local AWS replaces private parts of moto to be as strict as AWS, and they differ in this release of moto.",
        do=("Install the release that this version was made for: pip install 'sre-agent[local]'", "Run the same command again."),
    )

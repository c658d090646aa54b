"""What a user of this AWS's commands can meet."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from embedded_aws.registry import Registry
from sre_core.problem import Problem

_SHOWN_LINES = 20


def not_running(state_dir: Path, state: str) -> Problem:
    return Problem(
        code="EMBEDDED-AWS-NOT-RUNNING",
        what=f"No AWS runs on this machine for {state_dir}.",
        why=f"Its state is: {state}. What it held lived in memory and is gone.",
        do=(f"Start one: python -m embedded_aws start --state-dir {state_dir}",),
    )


def no_state_dir(state_dir: Path, error: OSError) -> Problem:
    return Problem(
        code="EMBEDDED-AWS-NO-STATE-DIR",
        what=f"The state folder {state_dir} can't be made.",
        why=str(error),
        do=("Give a --state-dir that you may write to.",),
    )


def already_running(found: Registry) -> Problem:
    return Problem(
        code="EMBEDDED-AWS-ALREADY-RUNNING",
        what=f"An AWS already runs here, as process {found.process.pid}.",
        why="A state folder has one AWS, so that programs find the same one.",
        do=("Use it: `status` shows its endpoint.", "Or give this one another --state-dir."),
        context={"endpoint": found.endpoint},
    )


def being_started(state_dir: Path) -> Problem:
    return Problem(
        code="EMBEDDED-AWS-BEING-STARTED",
        what="Another process is starting or ending the AWS of this state folder.",
        why=f"It holds {state_dir / 'embedded-aws.lock'}.",
        do=("Run the same command again in a few seconds.",),
    )


def other_region(found: Registry, region: str) -> Problem:
    return Problem(
        code="EMBEDDED-AWS-OTHER-REGION",
        what=f"The AWS that runs here is {found.region}, not {region}.",
        why="One start is one account in one region.",
        do=("Stop it first; what it holds is lost.", f"Or use it: --region {found.region}"),
        context={"endpoint": found.endpoint},
    )


def died_at_start(log_file: Path, output: str) -> Problem:
    shown = "\n".join(output.strip().splitlines()[-_SHOWN_LINES:])
    return Problem(
        code="EMBEDDED-AWS-DIED-AT-START",
        what="The local AWS ended before it answered.",
        why=shown or "It said nothing.",
        do=("Read what it said above; a missing package is installed by: pip install 'sre-agent[local]'", "Run the same command again."),
        context={"log": str(log_file)},
    )


def start_took_too_long(log_file: Path, seconds: float) -> Problem:
    return Problem(
        code="EMBEDDED-AWS-START-TOO-SLOW",
        what=f"The local AWS did not answer within {seconds:.0f} seconds.",
        why="The machine is very busy, or another start hangs.",
        do=("Run the same command again: a start that was only slow is found.", f"If it fails again, read {log_file}."),
    )


def does_not_end(found: Registry) -> Problem:
    return Problem(
        code="EMBEDDED-AWS-DOES-NOT-END",
        what=f"Process {found.process.pid} did not end, not even by SIGKILL.",
        why="It belongs to another user, or the system holds it in a call that can't be interrupted.",
        do=(f"Look at it: ps -o pid,user,stat,wchan,command -p {found.process.pid}", "Run `stop` again as its owner."),
    )


def moto_moved(part: str) -> Problem:
    """Another moto is installed than the one whose private parts this version replaces."""
    return Problem(
        code="EMBEDDED-AWS-OTHER-MOTO",
        what=f"The local AWS can't use moto {version('moto')}: {part}.",
        why="The local AWS replaces private parts of moto to be as strict as AWS, and they differ in this release of moto.",
        do=("Install the release that this version was made for: pip install 'sre-agent[local]'", "Run the same command again."),
    )

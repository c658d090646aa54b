"""START HERE: `make test-aws` shows what it would cost and touch, asks, then takes a deployment through its life in an AWS account.

In every case it sweeps at its end and writes a report. `--sweep` does that alone, for a schedule; `--local` takes the local AWS.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from live.desk import AccountDesk
from live.record import Record
from live.run import LiveRun
from live.settings import Settings, read_settings, refuse_account
from live.spending import activate_tag, ensure_budget
from live.statement import BUDGET, refuse_spending, state_what_it_does
from sre_core.problem import Problem

PASSED, FAILED, REFUSED = 0, 1, 2
LOCAL = {"SRE_LIVE_DOMAIN": "live.example.com", "SRE_LIVE_EMAIL": "team@example.com", "SRE_LIVE_USD": "20"}


def main() -> int:
    """Run everything in its order; 0 if each step passed and nothing is left."""
    options = read_options()
    # A cancelled job of a pipeline is asked to end: it must sweep first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(FAILED))
    desk = AccountDesk(Path(tempfile.mkdtemp(prefix="sre-live-")))
    try:
        if options.local:
            os.environ.update(LOCAL)
            os.environ.update(desk.start_local_aws(LOCAL["SRE_LIVE_DOMAIN"]))
        return begin(desk, options)
    finally:
        desk.close()
        shutil.rmtree(desk.folder, ignore_errors=True)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make test-aws", description=__doc__)
    parser.add_argument(
        "--local", action="store_true", help="against the local AWS, which this starts; costs nothing and needs no settings"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before the account is touched")
    parser.add_argument("--sweep", action="store_true", help="only delete what earlier runs left longer than their ttl")
    return parser.parse_args()


def begin(desk: AccountDesk, options: argparse.Namespace) -> int:
    """Refuse or state; then sweep or run."""
    settings = read_settings(os.environ)
    if isinstance(settings, Problem):
        return refuse(settings)
    try:
        account_id = str(desk.client("sts").get_caller_identity()["Account"])
    except (BotoCoreError, ClientError) as error:
        return refuse(no_credentials(error))
    if problem := refuse_account(settings, account_id):
        return refuse(problem)
    desk.write_config(settings, account_id)
    statement = state_what_it_does(settings, account_id, desk.folder)
    print(statement, flush=True)
    if not (options.local or options.yes or confirm(account_id)):
        print("\nNothing was touched. To run it without a question: make test-aws ARGS=--yes")
        return REFUSED
    run = LiveRun(desk, statement, Record(statement))
    return sweep_only(run) if options.sweep else run_all(run, settings)


def run_all(run: LiveRun, settings: Settings) -> int:
    """Make sure of the budget, run the steps, and sweep after any result."""
    try:
        run.record.spent = ensure_budget(run.desk.client("budgets"), run.statement.account_id, settings)
    except ClientError as error:
        return refuse(no_budget(error))
    if problem := refuse_spending(run.statement, run.record.spent):
        return refuse(problem)
    try:
        run.prepare()
        run.walk()
    finally:
        try:
            run.sweep()
            note_tag(run)
        finally:
            print(f"\n{run.record.to_markdown()}\nReport: {run.record.write()}", flush=True)
    return PASSED if run.record.passed else FAILED


def sweep_only(run: LiveRun) -> int:
    """Delete every temporary deployment whose lifetime has passed."""
    run.record.only_swept = True
    run.sweep_expired()
    run.note_tagged()
    print(f"\n{run.record.to_markdown()}\nReport: {run.record.write()}")
    return PASSED if run.record.passed else FAILED


def note_tag(run: LiveRun) -> None:
    """Activate the cost allocation tag, which AWS knows only after a resource has it."""
    if why := activate_tag(run.desk.client("ce")):
        run.record.open_items.append(f"The cost allocation tag is not active, so the budget {BUDGET} counts nothing. {why}")


def confirm(account_id: str) -> bool:
    """Ask for the account's id at a terminal; without one the answer is no."""
    return sys.stdin.isatty() and input("\nType the id of the account to go on: ").strip() == account_id


def refuse(problem: Problem) -> int:
    print(problem, file=sys.stderr)
    return REFUSED


def no_credentials(error: Exception) -> Problem:
    return Problem(
        code="LIVE-NO-CREDENTIALS",
        what="It is not known which account the tests would run in. Nothing was touched.",
        why=f"AWS did not say whose credentials these are: {error}",
        do=("Sign in, and check with `aws sts get-caller-identity`.",),
    )


def no_budget(error: ClientError) -> Problem:
    return Problem(
        code="LIVE-NO-BUDGET",
        what=f"The budget {BUDGET} could not be made, so nothing else was.",
        why=f"AWS Budgets answered {error.response['Error']['Code']}: {error.response['Error'].get('Message', '')}",
        do=("Allow budgets:ViewBudget, budgets:ModifyBudget and budgets:TagResource to the identity of the tests.",),
    )


if __name__ == "__main__":
    sys.exit(main())

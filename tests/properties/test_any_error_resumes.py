"""AWS refuses every call of a deployment, with each of its documented errors: each run names the cause, and the next run continues."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import chain, cycle
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from behaviours import lister
from behaviours.engine import Ran
from behaviours.lanes import Lane, lane
from fixtures.sample import THOROUGH, sample
from sre_agent_deploy.aws import Aws, Endpoint
from sre_agent_deploy.aws.errors import kind_of
from sre_core.secret import Secret

from ..sre_agent_deploy.aws.calls import called
from ..sre_agent_deploy.aws.table import Row, general, own
from ..sre_agent_deploy.resources.samples import kinds

ONE_OF_EACH = {
    "buckets": 1,
    "pools": 1,
    "clients": 2,
    "roles": 3,
    "profiles": 1,
    "instances": 1,
    "addresses": 1,
    "gateways": 1,
    "targets": 4,
}
# The first life is that of a whole deployment. The next ones are of these parts with what they need, and have other errors: most of the
# parts in one, another one with each commit; then a few parts of each service, again and again.
WHOLE, LARGE = "", ("address_association", "runtime_endpoint")
SMALL = ("gateway_client caller_client", "gateway_role", "release budget", "security_group session_table")
# A cleanup lists every kind, before it deletes and after: of a few parts that is most of its calls, so one of the small ones meets errors.
CLEANED_UP_IN_RUNS = (WHOLE, *sample(SMALL, 1))
# Errors that pass by themselves are waited for, and never end a run; other tests prove that.
_PASSING = ("throttled", "busy", "transient")
# A log group of a runtime that AgentCore has created first is adopted.
_TAKEN_OVER = ("CreateLogGroup", "ResourceAlreadyExistsException")
_ENDS = ("Delete", "Disassociate", "Release", "Terminate", "Detach", "Remove")
_READS = ("Get", "List", "Describe", "Head", "Batch", "Simulate")

type Errors = Mapping[str, Row]


class Deployment:
    """Deploys and cleans up in runs; each run refuses calls that no earlier run of this deployment, or of this cleanup, has refused."""

    def __init__(self, here: Lane, rules: Path) -> None:
        self._here, self._rules = here, rules
        refuse(rules, {})
        self.ended: list[str] = []
        """The parts of each deployment that was cleaned up; empty for a whole one."""
        self._before, self._lives = here.counted(), cycle([WHOLE]) if THOROUGH else chain([WHOLE], sample(LARGE, 1), cycle(SMALL))
        self._begin()

    def _begin(self) -> None:
        self._folder, self._refused, self._run = self._here.fresh(), set[str](), self._here.engine.deploy
        self._parts = next(self._lives)

    def run(self, errors: Errors) -> tuple[Ran, list[Row]]:
        """Run once, and return what was refused. A run without a refusal has created, or deleted, everything."""
        refuse(self._rules, {operation: row for operation, row in errors.items() if operation not in self._refused})
        ran = self._run(self._folder, parts=self._parts)
        met = {label.partition(" ")[0] for label in ran.calls} & set(errors) - self._refused
        self._refused |= met
        if ran.code == 0:
            self._go_on()
        return ran, [errors[operation] for operation in sorted(met)]

    def _go_on(self) -> None:
        """Check what a run without a refusal has left, and go on to the cleanup or to the next life."""
        refuse(self._rules, {})
        if self._run == self._here.engine.cleanup:
            assert self._here.counted() == self._before
            self.ended.append(self._parts)
            self._begin()
            return
        if self._parts:
            assert not lister.agentcore(self._here.client)["targets"]
        else:
            counted = self._here.counted()
            assert {kind: counted[kind] for kind in ONE_OF_EACH} == ONE_OF_EACH
        again = self._here.engine.deploy(self._folder, parts=self._parts)
        assert (again.code, again.calls) == (0, ())
        self._run, self._refused = self._here.engine.cleanup, set(() if self._parts in CLEANED_UP_IN_RUNS else possible_errors())


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("refused")
    rules = folder / "rules.json"
    rules.write_text('{"rules": []}')
    with lane(folder / "lane", "--faults", str(rules)) as here:
        deployment = Deployment(here, rules)
        yield deployment
        assert WHOLE in deployment.ended, "no whole deployment was created and cleaned up"


@pytest.mark.property(5)
@pytest.mark.timeout(3 * 3600)
# Each example continues where the previous one ended: none can be repeated or shrunk.
@settings(deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_any_error_of_any_call(deployment: Deployment, seed: int) -> None:
    """**Feature: aws-ec2-production-deployment, Property 5: Error Handling and Recovery**

    For any error condition during setup, the system should provide specific error messages with context, suggest alternative
    approaches, and support resuming from the last successful step.

    Each mutating call of a deployment and of its cleanup is refused with an error that AWS documents for it, repeatedly and with other
    errors. Each refused run names the call, the error and the first thing to do, keeps what was created, and the next run continues. In
    the end there is one of each resource and nothing left to do; after cleanup the account is as it was before.
    """
    errors = {operation: Random(seed).choice(rows) for operation, rows in possible_errors().items()}
    ran, refused = deployment.run(errors)
    assert bool(ran.code) == bool(refused), ran.said
    wrong = [f"{row}: {ran.said}" for row in refused if not explains(ran.said, row)]
    assert not wrong, "\n\n".join(wrong)


@cache
def possible_errors() -> Mapping[str, Sequence[Row]]:
    """Return the errors that AWS documents for each mutating operation that our code calls."""
    found: dict[str, list[Row]] = defaultdict(list)
    # These are waited for, too: errors that a new resource causes, and conflicts with what still uses a deleted one.
    propagates, blocks = {code for kind in kinds() for code in kind.PROPAGATES}, {failure for kind in kinds() for failure in kind.BLOCKERS}
    aws = Aws(region="us-east-1", account_id="123456789012", endpoint=Endpoint("http://127.0.0.1:9", "", "AKIDEXAMPLE", Secret("unused")))
    for service, operation in sorted(called(aws)):
        client = aws.client(service)
        # What is absent has been deleted already.
        excluded = (*_PASSING, "absent") if operation.startswith(_ENDS) else _PASSING
        rows = {
            row
            for row in (*own(client, operation), *general(client, operation))
            if row.code not in propagates and (operation, row.code) not in (*blocks, _TAKEN_OVER)
        }
        found[operation] += sorted(row for row in rows if kind_of(row.code, row.status) not in excluded)
    return {operation: rows for operation, rows in found.items() if rows and not operation.startswith(_READS)}


def refuse(rules: Path, errors: Errors) -> None:
    """Let the local AWS refuse these operations with these errors, and no others."""
    refusals = [{"kind": "error", "operation": operation, "code": row.code, "status": row.status} for operation, row in errors.items()]
    written = rules.with_suffix(".new")
    written.write_text(json.dumps({"rules": refusals}))
    written.replace(rules)


def explains(said: str, row: Row) -> bool:
    """Return true if one problem names the call and AWS's error, and begins its advice with what to do first."""
    return any(row.operation in problem and row.code in problem and "\n  do:  " in problem for problem in said.split("\n\n"))

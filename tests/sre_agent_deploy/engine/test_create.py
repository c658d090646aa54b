"""A creation whose result is not known is looked up before it is sent again: never two resources, and never one without a record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fixtures.cut import Cut, cut_at
from fixtures.engine import Engine
from sre_agent_deploy.progress import Progress, RetryLimits, Stop, ignore_event
from sre_core import clock

type Faults = Callable[..., None]


@dataclass(frozen=True)
class Kind:
    """A kind of which AWS allows two of the same name, and a count of them by raw listings."""

    name: str
    creation: str
    reads: str

    def count(self, engine: Engine) -> int:
        if self.name == "user_pool":
            pools = engine.client("cognito-idp").list_user_pools(MaxResults=60)["UserPools"]
            return sum(pool["Name"] == engine.id for pool in pools)
        named = [{"Name": "tag:sre-agent:deployment-id", "Values": [engine.id]}]
        return len(engine.client("ec2").describe_addresses(Filters=named)["Addresses"])


POOL = Kind("user_pool", "CreateUserPool", "ListUserPools")
ADDRESS = Kind("address", "AllocateAddress", "DescribeAddresses")


_ANYBODY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}'
# By part: how another owner takes its name, and the check that their resource is unchanged.
STRANGERS: dict[str, tuple[Callable[[Engine], Any], Callable[[Engine], bool]]] = {
    "gateway_role": (
        lambda engine: engine.client("iam").create_role(RoleName=f"{engine.id}-gateway", AssumeRolePolicyDocument=_ANYBODY),
        lambda engine: engine.client("iam").list_role_policies(RoleName=f"{engine.id}-gateway")["PolicyNames"] == [],
    ),
    "security_group": (
        lambda engine: engine.client("ec2").create_security_group(GroupName=engine.id, Description="theirs", VpcId=engine.site.vpc_id),
        lambda engine: engine.client("ec2").describe_security_groups(GroupNames=[engine.id])["SecurityGroups"][0]["IpPermissions"] == [],
    ),
    "bucket": (
        lambda engine: engine.client("s3").create_bucket(Bucket=f"{engine.id}-{engine.name}"),
        lambda engine: _has_no_policy(engine, f"{engine.id}-{engine.name}"),
    ),
    "backend_key": (
        lambda engine: engine.client("secretsmanager").create_secret(Name=f"{engine.id}/backend-api-key", SecretString="theirs"),
        lambda engine: (
            engine.client("secretsmanager").get_secret_value(SecretId=f"{engine.id}/backend-api-key")["SecretString"] == "theirs"
        ),
    ),
}


def _has_no_policy(engine: Engine, bucket: str) -> bool:
    try:
        engine.client("s3").get_bucket_policy(Bucket=bucket)
    except ClientError as error:
        return bool(error.response["Error"]["Code"] == "NoSuchBucketPolicy")
    return False


def codes(engine: Engine) -> list[str]:
    """The codes of the problems of a failed run."""
    return [problem.code for problem in engine.apply().problems]


@pytest.mark.parametrize("kind", [POOL, ADDRESS], ids=lambda kind: kind.name)
@pytest.mark.parametrize("fault", ["cut", "server_error"])
def test_the_answer_was_lost(engine: Engine, faults: Faults, kind: Kind, fault: str) -> None:
    """A resource that AWS created without an answer, and does not show at once, is adopted."""
    engine.parts = (kind.name,)
    faults({"kind": fault, "operation": kind.creation, "nth": 1, "committed": True}, {"kind": "lag", "seconds": 1})
    assert codes(engine) == []
    faults()
    assert kind.count(engine) == 1
    assert engine.changes() == {}


@pytest.mark.parametrize(("settles", "shown", "left"), [(10, 30, 10), (30, 10, 10), (10, 0, 0), (0, 30, 0)])
def test_the_time_for_which_aws_may_hide_a_creation(settles: int, shown: int, left: int) -> None:
    """It is that of the type, but at most that of the configuration, and it begins with the creation."""
    progress = Progress(RetryLimits(shown=timedelta(seconds=shown)))
    now = clock.now()
    assert abs(progress.time_hidden(timedelta(seconds=settles), now) - timedelta(seconds=left)) < timedelta(seconds=1)
    assert progress.time_hidden(timedelta(seconds=settles), now - timedelta(minutes=1)) == timedelta(0)


def test_the_call_was_lost(engine: Engine, faults: Faults) -> None:
    """A call that never arrived is sent again once AWS can't hide its result any more; the wait and its deadline are reported.

    Each attempt begins anew the time in which AWS may hide its result: here the second answer is lost, too.
    """
    engine.parts, engine.sections["retries"] = ("address",), {"shown": "7s"}
    faults(
        {"kind": "cut", "operation": "AllocateAddress", "nth": 1},
        {"kind": "cut", "operation": "AllocateAddress", "nth": 2, "committed": True},
        {"kind": "lag", "seconds": 1},
    )
    assert codes(engine) == []
    faults()
    assert ADDRESS.count(engine) == 1
    waits = [event.wait.to_json() for event in engine.observed if event.wait and event.wait.why == "shown"]
    assert waits
    assert {wait["kind"] for wait in waits} == {"shown"}


@pytest.mark.parametrize("kind", [POOL, ADDRESS], ids=lambda kind: kind.name)
def test_a_lookup_that_fails(engine: Engine, faults: Faults, kind: Kind) -> None:
    """A failed lookup does not prove absence: the resource is not created again, and its intent stays until a lookup succeeds."""
    engine.parts, engine.sections["retries"] = (kind.name,), {"transient": "1s"}
    plan = engine.plan()
    faults({"kind": "cut", "operation": kind.creation, "committed": True}, {"kind": "server_error", "operation": kind.reads})
    assert len(engine.apply(plan).problems) == 1
    faults()
    assert kind.count(engine) == 1
    engine.deploy()
    assert kind.count(engine) == 1


def test_a_stop_while_looking(engine: Engine, faults: Faults) -> None:
    """A stop request ends the wait at once; the next run looks it up again and adopts it."""
    engine.parts = ("user_pool",)
    engine.watcher = lambda event: engine.stop.request() if event.step == "waiting" else None
    faults({"kind": "cut", "operation": "CreateUserPool", "committed": True}, {"kind": "lag", "seconds": 3600})
    assert codes(engine) == ["RUN-INTERRUPTED"]
    faults()
    engine.stop = Stop()
    engine.deploy()
    assert POOL.count(engine) == 1


def test_the_name_is_taken_by_ourselves(engine: Engine, faults: Faults) -> None:
    """A resource whose name AWS refuses as taken is adopted if it is ours: the answer to its creation was lost."""
    engine.parts = ("bucket",)
    faults({"kind": "cut", "operation": "CreateBucket", "nth": 1, "committed": True})
    assert codes(engine) == []
    assert engine.changes() == {}


@pytest.mark.parametrize("part", ["gateway_role", "security_group", "bucket", "backend_key"])
def test_the_name_is_taken_by_another_just_before(engine: Engine, part: str) -> None:
    """A resource of another owner that appears after the plan is not adopted: the run reports it, records nothing, and leaves it."""
    engine.parts = (part,)
    plan = engine.plan()
    take, untouched = STRANGERS[part]
    take(engine)
    codes = [problem.code for problem in engine.apply(plan).problems]
    assert len(codes) == 1
    assert engine.state
    assert not engine.state.generations(part)
    assert untouched(engine)
    assert [problem.code for problem in engine.plan().problems] == ["EXISTS-NOT-OURS"]


def test_a_refusal_after_an_answer_that_was_lost(engine: Engine, faults: Faults) -> None:
    """A hidden resource is not absent: the lookup goes on although the second attempt was refused."""
    engine.parts = ("security_group",)
    plan = engine.plan()
    faults(
        {"kind": "cut", "operation": "CreateSecurityGroup", "nth": 1, "committed": True},
        {"kind": "lag", "operation": "DescribeSecurityGroups", "seconds": 4},
    )
    assert [problem.code for problem in engine.apply(plan).problems] == []
    faults()
    assert engine.changes() == {}


def test_a_refusal(engine: Engine, faults: Faults) -> None:
    """A refused creation created nothing, and leaves no intent."""
    engine.parts = ("gateway_role",)
    faults({"kind": "quota", "operation": "CreateRole"})
    assert len(codes(engine)) == 1
    assert engine.state
    assert not engine.state.generations("gateway_role")


def test_an_unfinished_creation_that_is_not_wanted(engine: Engine, faults: Faults) -> None:
    """An unfinished creation that is no longer wanted is looked up, and deleted as soon as AWS shows it."""
    engine.parts = ("user_pool", "address")
    faults({"kind": "lag", "operation": "DescribeAddresses", "seconds": 2})
    with pytest.raises(Cut), cut_at(engine.aws, "AllocateAddress", "committed"):
        engine.apply()
    engine.parts = ("user_pool",)
    assert codes(engine) == []
    faults()
    assert ADDRESS.count(engine) == 0


def test_every_answer_was_lost(engine: Engine, faults: Faults) -> None:
    """After a few attempts it is reported; the intent stays, and the next run finds out whether it succeeded."""
    engine.parts = ("bucket",)
    faults({"kind": "cut", "operation": "CreateBucket"})
    assert codes(engine) == ["AWS-UNREACHABLE"]
    assert engine.state
    assert [record.phase for record in engine.state.alive()] == ["intended"]
    faults()
    engine.deploy()


def test_a_refusal_whose_cause_cannot_be_looked_up(engine: Engine, faults: Faults) -> None:
    """If the owner of the taken name can't be looked up, the intent stays; the next run sees that the resource is its own."""
    engine.parts, engine.sections["retries"] = ("bucket",), {"transient": "1s"}
    plan = engine.plan()
    faults(
        {"kind": "cut", "operation": "CreateBucket", "nth": 1, "committed": True},
        {"kind": "server_error", "service": "s3", "operation": "[!C]*"},
    )
    assert len(engine.apply(plan).problems) == 1
    faults()
    engine.deploy()
    assert engine.id_of("bucket").startswith(engine.id)


@pytest.mark.parametrize("stopped", [True, False])
def test_an_unfinished_creation_that_cannot_be_looked_up(engine: Engine, faults: Faults, *, stopped: bool) -> None:
    """An unfinished creation that is no longer wanted keeps its intent until it can be looked up, and is then deleted."""
    engine.parts = ("user_pool", "address")
    faults({"kind": "lag", "operation": "DescribeAddresses", "seconds": 3600})
    with pytest.raises(Cut), cut_at(engine.aws, "AllocateAddress", "committed"):
        engine.apply()
    engine.parts, engine.sections["retries"] = ("user_pool",), {"transient": "1s"}
    plan = engine.plan()
    engine.watcher = lambda event: engine.stop.request() if event.step == "waiting" else None
    if not stopped:
        faults({"kind": "server_error", "operation": "DescribeAddresses"})
    assert [problem.code for problem in engine.apply(plan).problems] == ["RUN-INTERRUPTED" if stopped else "AWS-UNEXPECTED"]
    faults()
    engine.stop, engine.watcher = Stop(), ignore_event
    engine.deploy()
    assert ADDRESS.count(engine) == 0

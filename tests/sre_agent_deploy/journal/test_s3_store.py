"""The state in S3 is complete or absent, for one writer at a time, with real conditional writes."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import secrets
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from fixtures.answered import refused_once
from fixtures.cut import refused
from fixtures.embedded import EmbeddedAws
from fixtures.engine import deployers_aws
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.journal import Journal
from sre_agent_deploy.journal.lock import Owner
from sre_agent_deploy.journal.s3_store import CONFIRMED_FOR, LEASE, S3Lock, S3Store
from sre_agent_deploy.journal.state import State
from sre_core import clock
from sre_core.problem import Problem, Refused

STATE = State("sre-1", "123456789012", "us-east-1", "production", "/config.yaml", {"endpoint": "", "start_id": ""})


@pytest.fixture
def bucket(unbooted: EmbeddedAws) -> str:
    name = f"states-{secrets.token_hex(5)}"
    unbooted.client("s3").create_bucket(Bucket=name)
    return name


def _store(unbooted: EmbeddedAws, bucket: str) -> S3Store:
    return S3Store(deployers_aws(unbooted), bucket, "team/state.json")


def _lock(unbooted: EmbeddedAws, bucket: str, **changes: Any) -> None:
    owner = dataclasses.replace(Owner.me("deploy", nonce="another"), **changes)
    unbooted.client("s3").put_object(Bucket=bucket, Key="team/state.json.lock", Body=owner.to_bytes())


def test_what_was_saved_is_loaded(unbooted: EmbeddedAws, bucket: str) -> None:
    """Another machine reads what this one wrote, and continues from it."""
    assert _store(unbooted, bucket).load() is None
    Journal(_store(unbooted, bucket), STATE).begin_run("deploy")
    other = _store(unbooted, bucket)
    loaded = other.load()
    assert isinstance(loaded, State)
    assert [run.command for run in loaded.runs] == ["deploy"]
    Journal(other, loaded).end_run("applied")


def test_a_write_that_meets_another_one_under_way(unbooted: EmbeddedAws, bucket: str) -> None:
    """S3 asks to send the write again, which does not say who was first: so it is sent again with the same condition."""
    store = _store(unbooted, bucket)
    with refused_once(deployers_aws(unbooted).client("s3"), "PutObject", "ConditionalRequestConflict", 409):
        store.save(STATE)
    assert store.load() == STATE


def test_two_writers_that_do_not_know_of_one_another(unbooted: EmbeddedAws, bucket: str) -> None:
    """The second write is refused, and the first one stays."""
    first, second = _store(unbooted, bucket), _store(unbooted, bucket)
    assert first.load() is second.load() is None
    first.save(STATE)
    with pytest.raises(Refused) as raised:
        second.save(dataclasses.replace(STATE, verified_at="later"))
    assert raised.value.problems[0].code == "STATE-CHANGED"
    assert first.load() == STATE


def test_a_write_whose_answer_was_lost(unbooted: EmbeddedAws, bucket: str) -> None:
    """The write that is sent again finds itself, and is recognised as its own."""
    _store(unbooted, bucket).save(STATE)
    again = _store(unbooted, bucket)
    again.save(STATE)
    again.save(dataclasses.replace(STATE, verified_at="later"))


@pytest.mark.parametrize(("body", "code"), [(b"{", "STATE-DAMAGED"), (b'{"schema": 99}', "STATE-TOO-NEW")])
def test_an_object_that_is_not_understood(unbooted: EmbeddedAws, bucket: str, body: bytes, code: str) -> None:
    """It is a Problem, and the object is not changed."""
    unbooted.client("s3").put_object(Bucket=bucket, Key="team/state.json", Body=body)
    problem = _store(unbooted, bucket).load()
    assert isinstance(problem, Problem)
    assert (problem.code, f"s3://{bucket}/team/state.json" in problem.what) == (code, True)


def test_a_bucket_that_is_not_there(unbooted: EmbeddedAws) -> None:
    """Neither reading nor writing ends in a traceback."""
    store = S3Store(deployers_aws(unbooted), "no-such-bucket-at-all", "state")
    assert getattr(store.load(), "code", "") == "STATE-UNREADABLE"
    with pytest.raises(Refused):
        store.save(STATE)


def test_one_writer_at_a_time(unbooted: EmbeddedAws, bucket: str) -> None:
    """The second is refused with the owner, its host, start and expiry; afterwards the lock is free."""
    store = _store(unbooted, bucket)
    with store.lock("deploy"):
        with pytest.raises(Refused) as raised, _store(unbooted, bucket).lock("cleanup"):
            pass
        problem = raised.value.problems[0]
        assert problem.code == "STATE-LOCKED"
        assert "`deploy`" in problem.what
        assert "unless renewed" in problem.what
        assert store.lock_owner() is not None
    assert store.lock_owner() is None
    with store.lock("cleanup"):
        pass


def test_a_lock_that_cannot_be_given_back(unbooted: EmbeddedAws, bucket: str) -> None:
    """A run keeps its own result, success or Problem; the lock expires by itself."""
    own = Problem(code="ITS-OWN", what="What went wrong.", why="Because.", do=("Mend it.",))
    store = _store(unbooted, bucket)
    with pytest.raises(Refused) as raised, refused(deployers_aws(unbooted), "s3", "DeleteObject"), store.lock("deploy"):
        raise Refused(own)
    assert raised.value.problems == (own,)
    assert store.lock_owner()


@pytest.mark.parametrize(
    "stale",
    [
        {"host": "another", "expires": "2020-01-01T00:00:00Z"},
        {"pid": 2**22 + 1, "expires": "2999-01-01T00:00:00Z"},
    ],
)
def test_a_lock_whose_owner_is_dead(unbooted: EmbeddedAws, bucket: str, stale: dict[str, Any]) -> None:
    """A lock that expired, or whose owner on this host is dead, is taken over at once."""
    _lock(unbooted, bucket, **stale)
    store = _store(unbooted, bucket)
    assert store.lock_owner() is None
    with store.lock("deploy"):
        assert store.lock_owner()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"not a lock", b'{"expires": "soon", "host": "another"}', b'{"expires": 7}'])
def test_a_lock_that_cannot_be_read(unbooted: EmbeddedAws, bucket: str, body: bytes) -> None:
    """It still counts: an unreadable lock never expires, and only `unlock` frees it."""
    unbooted.client("s3").put_object(Bucket=bucket, Key="team/state.json.lock", Body=body)
    store = _store(unbooted, bucket)
    assert store.lock_owner() is not None
    with pytest.raises(Refused, match="STATE-LOCKED"), store.lock("deploy"):
        pass


def test_two_takeovers_of_one_lock(unbooted: EmbeddedAws, bucket: str) -> None:
    """A run that saw a stale lock takes over that lock only, not the one of a run that was quicker."""
    _lock(unbooted, bucket, host="another", expires="2020-01-01T00:00:00Z")
    aws = Aws(region="us-east-1", endpoint=deployers_aws(unbooted).endpoint)
    quicker = [True]

    def take_over(**_: Any) -> None:
        if quicker and quicker.pop():
            _lock(unbooted, bucket, host="quicker", machine="elsewhere", expires="2999-01-01T00:00:00Z")

    aws.client("s3").meta.events.register("before-call.s3.PutObject", take_over)
    with pytest.raises(Refused, match=r"(?s)STATE-LOCKED.*on quicker"), S3Store(aws, bucket, "team/state.json").lock("deploy"):
        pass
    owner = _store(unbooted, bucket).lock_owner()
    assert owner
    assert owner.host == "quicker"


def test_the_end_of_a_run_that_lost_its_lock(unbooted: EmbeddedAws, bucket: str) -> None:
    """It leaves the lock of the run that took it over."""
    first, second = _store(unbooted, bucket), _store(unbooted, bucket)
    with contextlib.ExitStack() as second_run:
        with first.lock("deploy"):
            assert isinstance(second.unlock(), Owner)
            second_run.enter_context(second.lock("cleanup"))
        owner = second.lock_owner()
        assert owner
        assert owner.command == "cleanup"


def test_an_owner_in_another_container(unbooted: EmbeddedAws, bucket: str) -> None:
    """A host of the same name has its own process numbers: only the lock's expiry frees it."""
    _lock(unbooted, bucket, pid=2**22 + 1, machine="another boot", expires="2999-01-01T00:00:00Z")
    with pytest.raises(Refused, match="STATE-LOCKED"), _store(unbooted, bucket).lock("deploy"):
        pass


def test_a_lock_that_is_taken_away(unbooted: EmbeddedAws, bucket: str) -> None:
    """`unlock` frees a lock that its owner on another host can't release, and says who the owner was."""
    _lock(unbooted, bucket, host="another", expires="2999-01-01T00:00:00Z")
    store = _store(unbooted, bucket)
    with pytest.raises(Refused), store.lock("deploy"):
        pass
    taken = store.unlock()
    assert isinstance(taken, Owner)
    assert taken.host == "another"
    with store.lock("deploy"):
        pass


def test_a_renewal_whose_answer_was_lost(unbooted: EmbeddedAws, bucket: str, faults: Callable[..., None]) -> None:
    """The renewal that is sent again finds itself; the lock is renewed while its owner is alive."""

    def shown() -> Owner:
        return Owner.parse(unbooted.client("s3").get_object(Bucket=bucket, Key="lock")["Body"].read())

    lock = S3Lock(deployers_aws(unbooted), bucket, "lock", "s3://state", lease=timedelta(seconds=12))
    with lock.hold("deploy"):
        faults({"kind": "cut", "operation": "PutObject", "nth": 1, "committed": True})
        lost = clock.parse(shown().expires) + timedelta(seconds=1)
        deadline = time.monotonic() + 120
        while clock.parse(shown().expires) <= lost + timedelta(seconds=1) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert clock.parse(shown().expires) > lost + timedelta(seconds=1)
        assert lock.find_owner()


def test_steps_of_many_threads(unbooted: EmbeddedAws, bucket: str) -> None:
    """Each step is saved when its call returns, and simultaneous steps share a write."""
    store, writes = _store(unbooted, bucket), 0
    journal = Journal(store, STATE)

    def count(**_: Any) -> None:
        nonlocal writes
        writes += 1

    def step(number: int) -> None:
        journal.record_intent(f"r{number}", "AWS::S3::Bucket", 1)
        assert f"r{number}-1" in journal.state.records

    client = deployers_aws(unbooted).client("s3")
    client.meta.events.register("before-send.s3.PutObject", count)
    threads = [threading.Thread(target=step, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client.meta.events.unregister("before-send.s3.PutObject", count)
    assert store.load() == journal.state
    assert len(journal.state.records) == 24
    assert writes < 24


def test_the_lock_says_nothing_of_the_state(unbooted: EmbeddedAws, bucket: str) -> None:
    """The lock object has user, host and times, and nothing else."""
    with _store(unbooted, bucket).lock("deploy"):
        body = unbooted.client("s3").get_object(Bucket=bucket, Key="team/state.json.lock")["Body"].read()
    assert set(json.loads(body)) == {"command", "who", "host", "pid", "since", "expires", "nonce", "machine"}


def test_the_clock_of_another_machine(unbooted: EmbeddedAws, bucket: str) -> None:
    """It does not matter: a lease is written and judged by S3's clock, the Date of its answers."""
    aws = Aws(region="us-east-1", endpoint=deployers_aws(unbooted).endpoint)
    # S3 answers as if this machine's clock were three days wrong.
    ahead = timedelta(days=3)

    def misdate(response_dict: Any, **_: Any) -> None:
        response_dict["headers"]["date"] = format_datetime(datetime.now(UTC) + ahead, usegmt=True)

    aws.client("s3").meta.events.register("before-parse.s3", misdate)
    _lock(unbooted, bucket, host="another", machine="elsewhere", expires=clock.stamp(clock.now() + timedelta(days=2)))
    store = S3Store(aws, bucket, "team/state.json")
    assert store.lock_owner() is None
    with store.lock("deploy"):
        body = json.loads(unbooted.client("s3").get_object(Bucket=bucket, Key="team/state.json.lock")["Body"].read())
    assert abs(clock.parse(body["expires"]) - LEASE - ahead - datetime.now(UTC)) < timedelta(seconds=30)


def test_a_lock_that_was_taken_over(unbooted: EmbeddedAws, bucket: str) -> None:
    """Its first owner is refused from then on, with the run that has it or had it; neither its lock nor its state comes back."""
    first, second = _store(unbooted, bucket), _store(unbooted, bucket)
    with first.lock("deploy") as lease:
        lease.require()
        first.load()
        Journal(first, STATE).begin_run("deploy")
        assert isinstance(second.unlock(), Owner)
        with second.lock("cleanup"):
            state = second.load()
            assert isinstance(state, State)
            Journal(second, state).begin_run("cleanup")
            with pytest.raises(Refused, match="LOCK-LOST"):
                first.save(STATE)
            time.sleep(CONFIRMED_FOR)
            with pytest.raises(Refused, match=r"(?s)LOCK-LOST.*runs `cleanup`"):
                lease.require()
    assert second.lock_owner() is None


def test_a_lease_that_ends_soon(unbooted: EmbeddedAws, bucket: str) -> None:
    """It is renewed before the next change, also if it has expired and no other run took the lock over."""
    lock = S3Lock(deployers_aws(unbooted), bucket, "lock", "s3://state", lease=timedelta(seconds=1))
    with lock.hold("deploy") as lease:
        for _ in range(3):
            time.sleep(CONFIRMED_FOR * 1.1)
            lease.require()

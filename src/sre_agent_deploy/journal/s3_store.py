"""The state in Amazon S3: conditional writes, so that two writers never overwrite each other, and a lock that expires.

The lock is an object with its owner, and a lease that expires by S3's clock unless it is renewed. It is written, like the state, only in
place of a version that is known.
"""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, ask, ask_or_refuse, attempt, or_none
from sre_agent_deploy.journal.lock import Lease, Owner, describe_run, find_other_run, lock_lost, locked_problem
from sre_agent_deploy.journal.state import State, parse_state, render_state
from sre_core import clock
from sre_core.problem import Problem, Refused

LEASE = timedelta(minutes=3)
CONFIRMED_FOR = 1.0
"""Seconds for which an answer of S3 about the lock counts: the calls of a parallel step share one answer."""

type FindTaker = Callable[[], str]


class S3Lock:
    """A lock object beside the state. A lock that has expired, or whose owner on this machine is dead, is taken over."""

    def __init__(self, aws: Aws, bucket: str, key: str, location: str, lease: timedelta = LEASE) -> None:
        self._aws, self._object, self._location, self._lease = aws, S3Object(aws, bucket, key), location, lease

    @contextlib.contextmanager
    def hold(self, command: str, find_taker: FindTaker = lambda: "") -> Iterator[S3Lease]:
        """Hold the lock and renew its lease, or raise Refused with its owner."""
        owner = Owner.me(command, nonce=uuid.uuid4().hex)
        asked_at = clock.elapsed()
        lease = S3Lease(self, owner, self._acquire(owner), asked_at, find_taker)
        done = threading.Event()
        renewal = threading.Thread(target=self._keep_renewing, args=(lease, done), name="state-lock", daemon=True)
        renewal.start()
        try:
            yield lease
        finally:
            done.set()
            renewal.join()
            # If S3 does not answer any more, the run keeps its own result: the lock expires by itself.
            with contextlib.suppress(Refused):
                self._release(owner)

    def find_owner(self) -> Owner | None:
        """Return the owner, None where the lock is free or stale."""
        stored = self.read()
        return stored[1] if stored and not self._is_stale(stored[1]) else None

    def take_away(self) -> Owner | None:
        """Delete the lock of any owner, and wait until an owner that is alive after all has seen it."""
        stored = self.read()
        if stored is None:
            return None
        ask_or_refuse(self._aws, self._object.delete)
        if not self._is_stale(stored[1]):
            self._aws.progress.stop.pause(2 * CONFIRMED_FOR)
        return stored[1]

    def read(self) -> tuple[str, Owner] | None:
        """Read the version and the owner, None where there is no lock."""
        stored = ask_or_refuse(self._aws, self._object.read)
        return (stored[0], Owner.parse(stored[1])) if stored else None

    def renew(self, owner: Owner, etag: str) -> str | Lost | Problem:
        """Extend the lease from S3's time on. Returns the new version, empty if another process has the lock."""
        return attempt(lambda: self._write(owner, etag) or self._find_own_renewal(owner), progress=self._aws.progress)

    def expires_soon(self, owner: Owner) -> bool:
        """Check by S3's clock if less than half of the lease is left."""
        return _expiry(owner) - self._aws.server_time() < self._lease / 2

    def lost_to(self, taker: str) -> Problem:
        return lock_lost(self._location, taker)

    def _acquire(self, owner: Owner) -> str:
        stored = self.read()
        if stored and not self._is_stale(stored[1]):
            raise Refused(locked_problem(stored[1], self._location))
        etag = ask_or_refuse(self._aws, lambda: self._write(owner, stored[0] if stored else ""))
        if etag:
            return etag
        # Another process was quicker, or it is our own write, whose first answer was lost.
        taken = self.read()
        if taken and taken[1].nonce == owner.nonce:
            return taken[0]
        raise Refused(locked_problem(taken[1] if taken else Owner(), self._location))

    def _release(self, owner: Owner) -> None:
        stored = self.read()
        if stored and stored[1].nonce == owner.nonce:
            ask_or_refuse(self._aws, self._object.delete)

    def _keep_renewing(self, lease: S3Lease, done: threading.Event) -> None:
        while not done.wait(self._lease.total_seconds() / 3):
            # A lock that was lost is not taken back: `require` ends the run before its next change.
            if not lease.renew():
                return

    def _write(self, owner: Owner, etag: str) -> str:
        expires = clock.stamp(self._aws.server_time() + self._lease)
        return self._object.write(replace(owner, expires=expires).to_bytes(), replaces=etag)

    def _find_own_renewal(self, owner: Owner) -> str:
        """Return the version that our renewal made although its answer was lost; empty if another process owns the lock."""
        stored = self._object.read()
        return stored[0] if stored and Owner.parse(stored[1]).nonce == owner.nonce else ""

    def _is_stale(self, owner: Owner) -> bool:
        return owner.dead() or _expiry(owner) < self._aws.server_time()


class S3Lease:
    """An acquired lock. S3 is read again when its last answer is older than a moment, so a run that slept reads it when it wakes."""

    def __init__(self, lock: S3Lock, owner: Owner, etag: str, confirmed_at: float, find_taker: FindTaker) -> None:
        self._lock, self._owner, self._etag, self._find_taker = lock, owner, etag, find_taker
        self._confirmed_at, self._lost = confirmed_at, False
        self._checking = threading.Lock()
        self._problem: Problem | None = None

    def require(self) -> None:
        """Raise Refused if another run has taken the lock, or if S3 can't say."""
        with self._checking:
            if not self._lost and clock.elapsed() - self._confirmed_at > CONFIRMED_FOR:
                self._confirm()
            if self._lost:
                self._problem = self._problem or self._lock.lost_to(self._describe_taker())
                raise Refused(self._problem)

    def renew(self) -> bool:
        """Extend the lease. Returns False if the lock was lost."""
        with self._checking:
            self._renew()
            return not self._lost

    def _confirm(self) -> None:
        asked_at, stored = clock.elapsed(), self._lock.read()
        if stored is None or stored[1].nonce != self._owner.nonce:
            self._lost = True
        elif self._lock.expires_soon(stored[1]):
            # It may be taken over at any moment: ours again only if the renewal replaces this very version.
            self._renew()
        else:
            self._confirmed_at = asked_at

    def _renew(self) -> None:
        asked_at, renewed = clock.elapsed(), self._lock.renew(self._owner, self._etag)
        if isinstance(renewed, str) and renewed:
            self._etag, self._confirmed_at = renewed, asked_at
        elif not isinstance(renewed, Lost):
            self._lost = True

    def _describe_taker(self) -> str:
        stored = self._lock.read()
        return str(stored[1]) if stored else self._find_taker()


def _expiry(owner: Owner) -> datetime:
    """Return when a lease ends; what can't be read never ends by itself."""
    try:
        return clock.parse(owner.expires)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)


_CONDITION_FAILED = ("PreconditionFailed", "412")
_ABSENT = ("NoSuchKey", "404")


@dataclass(frozen=True)
class S3Object:
    """One object. AWS's errors propagate."""

    aws: Aws
    bucket: str
    key: str

    def read(self) -> tuple[str, bytes] | None:
        """Read the version and content, None where there is no object."""
        answer = or_none(lambda: self.aws.client("s3").get_object(Bucket=self.bucket, Key=self.key), _ABSENT)
        return (answer["ETag"], answer["Body"].read()) if answer else None

    def write(self, content: bytes, *, replaces: str) -> str:
        """Write it if the version there is `replaces` (empty: none). Returns the new version, empty if it is another one."""
        condition: Any = {"IfMatch": replaces} if replaces else {"IfNoneMatch": "*"}
        # S3 answers a condition on a version of an object that is gone with 404.
        refusals = (*_CONDITION_FAILED, *(_ABSENT if replaces else ()))
        put = self.aws.client("s3").put_object
        kwargs: Any = {"Bucket": self.bucket, "Key": self.key, "Body": content, "ContentType": "application/json", **condition}
        return or_none(lambda: put(**kwargs)["ETag"], refusals) or ""

    def delete(self) -> None:
        """Delete it. It is no error if it is gone."""
        self.aws.client("s3").delete_object(Bucket=self.bucket, Key=self.key)


class S3Store:
    """Keeps a State in one object. Every write names the version that it replaces."""

    def __init__(self, aws: Aws, bucket: str, key: str, lease: timedelta = LEASE) -> None:
        self._aws, self._object = aws, S3Object(aws, bucket, key)
        self._etag = ""
        self._known: State | None = None
        self._lease: Lease | None = None
        self._lock = S3Lock(aws, bucket, f"{key}.lock", self.location, lease)

    @property
    def location(self) -> str:
        return f"s3://{self._object.bucket}/{self._object.key}"

    def load(self) -> State | Problem | None:
        """Load the state, None where there is no object, or a Problem. Never changes the object."""
        stored = self._read()
        if isinstance(stored, Problem):
            return stored
        self._etag, loaded = stored or ("", None)
        self._known = loaded if isinstance(loaded, State) else None
        return loaded

    def save(self, state: State) -> None:
        """Replace the object unless another process has. Raises Refused on failure; the object is then unchanged."""
        document = render_state(state)
        answer = ask(self._aws, lambda: self._object.write(document, replaces=self._etag))
        if isinstance(answer, Problem):
            raise Refused(_not_saved(self.location, answer))
        self._etag = answer or self._find_own_write(document)
        self._known = state

    @contextmanager
    def lock(self, command: str) -> Iterator[Lease]:
        with self._lock.hold(command, self._describe_other_run) as lease:
            self._lease = lease
            try:
                yield lease
            finally:
                self._lease = None

    def lock_owner(self) -> Owner | None:
        return self._lock.find_owner()

    def unlock(self) -> Owner | Problem | None:
        return self._lock.take_away()

    def _read(self) -> tuple[str, State | Problem] | Problem | None:
        """Read the version and the state, None where there is no object, a Problem where it can't be read."""
        stored = ask(self._aws, self._object.read)
        if isinstance(stored, Problem):
            return _unreadable(self.location, stored)
        return (stored[0], parse_state(stored[1], self.location)) if stored else None

    def _describe_other_run(self) -> str:
        stored = self._read()
        return describe_run(find_other_run(self._known, stored[1] if isinstance(stored, tuple) else None))

    def _find_own_write(self, document: bytes) -> str:
        """Return the version that our write made although its answer was lost. Raises Refused if another process wrote the object."""
        stored = ask(self._aws, self._object.read)
        if isinstance(stored, tuple) and stored[1] == document:
            return stored[0]
        if self._lease:
            self._lease.require()
        raise Refused(_changed(self.location))


def _unreadable(location: str, cause: Problem) -> Problem:
    return Problem(
        code="STATE-UNREADABLE",
        what=f"The state {location} could not be read. Nothing was changed.",
        why=f"{cause.what} {cause.why}",
        do=(
            "Allow s3:GetObject and s3:ListBucket on it for the identity you deploy with (`aws sts get-caller-identity`).",
            "Or correct the URI: --state-file s3://BUCKET/KEY, or state.location in the configuration.",
        ),
        context=cause.context,
        request_id=cause.request_id,
    )


def _not_saved(location: str, cause: Problem) -> Problem:
    return Problem(
        code="STATE-NOT-SAVED",
        what=f"The state {location} could not be written.",
        why=f"{cause.what} {cause.why}",
        do=(
            "Allow s3:PutObject on it for the identity you deploy with (`aws sts get-caller-identity`).",
            "Run the same command again: it continues, and nothing was created that is not recorded.",
        ),
        request_id=cause.request_id,
    )


def _changed(location: str) -> Problem:
    return Problem(
        code="STATE-CHANGED",
        what=f"Another process changed the state {location} during this run.",
        why="The lock of this run had expired or was taken away, and the other process works on the same deployment.",
        do=(
            f"See which run it is: `sre-agent-deploy history --state-file {location}`.",
            "When that run has ended, run the same command again: it continues.",
        ),
    )

"""The state in Amazon S3: conditional writes, so that two writers never overwrite each other, and a lock that expires."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, attempt, or_none
from sre_agent_deploy.journal.lock import Owner, locked_problem
from sre_agent_deploy.journal.state import State, parse_state, render_state
from sre_core import clock
from sre_core.problem import Problem, Refused

LEASE = timedelta(minutes=3)
_CONDITION_FAILED = ("PreconditionFailed", "412")
_ABSENT = ("NoSuchKey", "404")


class S3Store:
    """Keeps a State in one object. Every write names the version that it replaces."""

    def __init__(self, aws: Aws, bucket: str, key: str) -> None:
        self._aws, self._bucket, self._key = aws, bucket, key
        self._etag = ""
        self._lock = S3Lock(aws, bucket, f"{key}.lock", self.location)

    @property
    def location(self) -> str:
        return f"s3://{self._bucket}/{self._key}"

    def load(self) -> State | Problem | None:
        """Load the state, None where there is no object, or a Problem. Never changes the object."""
        answer = _ask(self._aws, self._read)
        if isinstance(answer, Problem):
            return _unreadable(self.location, answer)
        if answer is None:
            self._etag = ""
            return None
        self._etag, document = answer
        return parse_state(document, self.location)

    def save(self, state: State) -> None:
        """Replace the object unless another process has. Raises Refused on failure; the object is then unchanged."""
        document = render_state(state)
        answer = _ask(self._aws, lambda: or_none(lambda: self._put(document), _CONDITION_FAILED))
        if isinstance(answer, Problem):
            raise Refused(_not_saved(self.location, answer))
        self._etag = answer or self._find_own_write(document)

    def lock(self, command: str) -> AbstractContextManager[None]:
        return self._lock.hold(command)

    def lock_owner(self) -> Owner | None:
        return self._lock.find_owner()

    def unlock(self) -> Owner | Problem | None:
        return self._lock.take_away()

    def _read(self) -> tuple[str, bytes] | None:
        return _read_object(self._aws, self._bucket, self._key)

    def _put(self, document: bytes) -> str:
        condition: Any = {"IfMatch": self._etag} if self._etag else {"IfNoneMatch": "*"}
        put = self._aws.client("s3").put_object
        return put(Bucket=self._bucket, Key=self._key, Body=document, ContentType="application/json", **condition)["ETag"]

    def _find_own_write(self, document: bytes) -> str:
        """Return the version that our write made although its answer was lost. Raises Refused if another process wrote the object."""
        stored = _ask(self._aws, self._read)
        if isinstance(stored, tuple) and stored[1] == document:
            return stored[0]
        raise Refused(_changed(self.location))


class S3Lock:
    """A lock object beside the state, with its owner and expiry. A lock that has expired, or whose owner here is dead, is taken over."""

    def __init__(self, aws: Aws, bucket: str, key: str, location: str, lease: timedelta = LEASE) -> None:
        self._aws, self._bucket, self._key, self._location, self._lease = aws, bucket, key, location, lease

    @contextlib.contextmanager
    def hold(self, command: str) -> Iterator[None]:
        """Hold the lock and renew its lease, or raise Refused with its owner."""
        owner = Owner.me(command, nonce=uuid.uuid4().hex)
        etag = self._acquire(owner)
        done = threading.Event()
        renewal = threading.Thread(target=self._renew, args=(owner, etag, done), name="state-lock", daemon=True)
        renewal.start()
        try:
            yield
        finally:
            done.set()
            renewal.join()
            # If S3 does not answer any more, the run keeps its own result: the lock expires by itself.
            with contextlib.suppress(Refused):
                self._release(owner)

    def find_owner(self) -> Owner | None:
        """Return the owner, None where the lock is free or stale."""
        stored = _ask_or_refuse(self._aws, self._read)
        return stored[1] if stored and not _is_stale(stored[1]) else None

    def take_away(self) -> Owner | None:
        """Delete the lock of any owner. An owner that is alive after all fails at its next write of the state."""
        stored = _ask_or_refuse(self._aws, self._read)
        if stored is None:
            return None
        self._delete()
        return stored[1]

    def _acquire(self, owner: Owner) -> str:
        etag = self._put(owner, IfNoneMatch="*")
        if etag:
            return etag
        stored = _ask_or_refuse(self._aws, self._read)
        if stored and stored[1].nonce == owner.nonce:
            return stored[0]
        if stored and _is_stale(stored[1]):
            etag = self._put(owner, IfMatch=stored[0])
        if not etag:
            raise Refused(locked_problem(stored[1] if stored else Owner(), self._location))
        return etag

    def _release(self, owner: Owner) -> None:
        stored = _ask_or_refuse(self._aws, self._read)
        if stored and stored[1].nonce == owner.nonce:
            self._delete()

    def _renew(self, owner: Owner, etag: str, done: threading.Event) -> None:
        # A lost lock is not taken back: the next write of the state fails, and the run with it.
        while etag and not done.wait(self._lease.total_seconds() / 3):
            renewed = attempt(
                lambda etag=etag: self._write(owner, IfMatch=etag) or self._find_own_renewal(owner),  # type: ignore[misc]
                progress=self._aws.progress,
            )
            etag = renewed if isinstance(renewed, str) else etag if isinstance(renewed, Lost) else ""

    def _find_own_renewal(self, owner: Owner) -> str:
        """Return the version that our renewal made although its answer was lost; empty if another process owns the lock."""
        stored = self._read()
        return stored[0] if stored and stored[1].nonce == owner.nonce else ""

    def _put(self, owner: Owner, **condition: str) -> str:
        return _ask_or_refuse(self._aws, lambda: self._write(owner, **condition))

    def _write(self, owner: Owner, **condition: Any) -> str:
        body = replace(owner, expires=clock.stamp(clock.now() + self._lease)).to_bytes()
        put = self._aws.client("s3").put_object
        return or_none(lambda: put(Bucket=self._bucket, Key=self._key, Body=body, **condition)["ETag"], _CONDITION_FAILED) or ""

    def _read(self) -> tuple[str, Owner] | None:
        stored = _read_object(self._aws, self._bucket, self._key)
        return (stored[0], Owner.parse(stored[1])) if stored else None

    def _delete(self) -> None:
        _ask_or_refuse(self._aws, lambda: self._aws.client("s3").delete_object(Bucket=self._bucket, Key=self._key))


def _is_stale(owner: Owner) -> bool:
    if owner.dead():
        return True
    try:
        return clock.parse(owner.expires) < clock.now()
    except ValueError:
        return False


def _read_object(aws: Aws, bucket: str, key: str) -> tuple[str, bytes] | None:
    """Read an object's version and content, None where there is no object."""
    answer = or_none(lambda: aws.client("s3").get_object(Bucket=bucket, Key=key), _ABSENT)
    return (answer["ETag"], answer["Body"].read()) if answer else None


def _ask[T](aws: Aws, call: Callable[[], T]) -> T | Problem:
    answer = attempt(call, progress=aws.progress)
    return answer.problem if isinstance(answer, Lost) else answer


def _ask_or_refuse[T](aws: Aws, call: Callable[[], T]) -> T:
    answer = _ask(aws, call)
    if isinstance(answer, Problem):
        raise Refused(answer)
    return answer


def _unreadable(location: str, cause: Problem) -> Problem:
    return Problem(
        code="STATE-UNREADABLE",
        what=f"The state {location} could not be read. Nothing was changed.",
        why=f"{cause.what} {cause.why}",
        do=(
            "Allow s3:GetObject and s3:ListBucket on it for the identity you deploy with (`aws sts get-caller-identity`).",
            "Or correct the URI: --state-file s3://BUCKET/KEY, or state.location in the configuration.",
        ),
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

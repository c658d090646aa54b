"""The lock of a state in S3: an object that says who holds it and until when, renewed while its owner lives."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, attempt, or_none
from sre_agent_deploy.journal.lock import Owner, locked_problem
from sre_core import clock
from sre_core.problem import Problem, Refused

LIVES = timedelta(minutes=3)
TAKEN = ("PreconditionFailed", "412")
"""How S3 answers a write whose condition does not hold."""


class S3Lock:
    """One object beside the state. A lock that has expired, or whose owner on this host is dead, is taken over."""

    def __init__(self, aws: Aws, bucket: str, key: str, place: str, lives: timedelta = LIVES) -> None:
        self._aws, self._bucket, self._key, self._place, self._lives = aws, bucket, key, place, lives

    @contextlib.contextmanager
    def held(self, command: str) -> Iterator[None]:
        """Hold it, or raise Refused saying who does."""
        mine = Owner.me(command, nonce=uuid.uuid4().hex)
        etag = self._taken(mine)
        done = threading.Event()
        renewing = threading.Thread(target=self._renew, args=(mine, etag, done), name="state-lock", daemon=True)
        renewing.start()
        try:
            yield
        finally:
            done.set()
            renewing.join()
            # Where S3 cannot be asked any more, the run ends as it would have: the lock frees itself when it expires.
            with contextlib.suppress(Refused):
                self._released(mine)

    def owner(self) -> Owner | None:
        """Who holds it; nobody where the lock is stale."""
        there = _asked(self._aws, self._read)
        return there[1] if there and not _stale(there[1]) else None

    def taken_away(self) -> Owner | None:
        """Remove the lock, whoever holds it; a writer that lives after all is stopped by its next write of the state."""
        there = _asked(self._aws, self._read)
        if there is None:
            return None
        self._delete()
        return there[1]

    def _taken(self, mine: Owner) -> str:
        etag = self._put(mine, IfNoneMatch="*")
        if etag:
            return etag
        there = _asked(self._aws, self._read)
        if there and there[1].nonce == mine.nonce:
            return there[0]
        if there and _stale(there[1]):
            etag = self._put(mine, IfMatch=there[0])
        if not etag:
            raise Refused(locked_problem(there[1] if there else Owner(), self._place))
        return etag

    def _released(self, mine: Owner) -> None:
        there = _asked(self._aws, self._read)
        if there and there[1].nonce == mine.nonce:
            self._delete()

    def _renew(self, mine: Owner, etag: str, done: threading.Event) -> None:
        # A lock that was lost is not fought for: the next write of the state fails, and with it the run.
        while etag and not done.wait(self._lives.total_seconds() / 3):
            renewed = attempt(lambda etag=etag: self._written(mine, IfMatch=etag) or self._own(mine), progress=self._aws.progress)  # type: ignore[misc]
            etag = renewed if isinstance(renewed, str) else etag if isinstance(renewed, Lost) else ""

    def _own(self, mine: Owner) -> str:
        """The version that a renewal made whose answer was lost; none where the lock is somebody else's."""
        there = self._read()
        return there[0] if there and there[1].nonce == mine.nonce else ""

    def _put(self, owner: Owner, **condition: str) -> str:
        return _asked(self._aws, lambda: self._written(owner, **condition))

    def _written(self, owner: Owner, **condition: Any) -> str:
        body = replace(owner, expires=clock.stamp(clock.now() + self._lives)).to_bytes()
        put = self._aws.client("s3").put_object
        return or_none(lambda: put(Bucket=self._bucket, Key=self._key, Body=body, **condition)["ETag"], TAKEN) or ""

    def _read(self) -> tuple[str, Owner] | None:
        answer = or_none(lambda: self._aws.client("s3").get_object(Bucket=self._bucket, Key=self._key), ("NoSuchKey", "404"))
        return (answer["ETag"], Owner.parse(answer["Body"].read())) if answer else None

    def _delete(self) -> None:
        _asked(self._aws, lambda: self._aws.client("s3").delete_object(Bucket=self._bucket, Key=self._key))


def _stale(owner: Owner) -> bool:
    if owner.dead():
        return True
    try:
        return clock.parse(owner.expires) < clock.now()
    except ValueError:
        return False


def _asked[T](aws: Aws, call: Callable[[], T]) -> T:
    """The answer, or Refused with the Problem that came instead."""
    answer = attempt(call, progress=aws.progress)
    if isinstance(answer, Lost | Problem):
        raise Refused(answer.problem if isinstance(answer, Lost) else answer)
    return answer

"""The state in Amazon S3: conditional writes, so that two writers can never overwrite one another."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, attempt, or_none
from sre_agent_deploy.journal.document import parse_state, render_state
from sre_agent_deploy.journal.lock import Owner
from sre_agent_deploy.journal.record import State
from sre_agent_deploy.journal.s3_lock import TAKEN, S3Lock
from sre_core.problem import Problem, Refused


class S3Store:
    """Keeps a State in one object; every write names the version that it replaces."""

    def __init__(self, aws: Aws, bucket: str, key: str) -> None:
        self._aws, self._bucket, self._key = aws, bucket, key
        self._etag = ""
        self._lock = S3Lock(aws, bucket, f"{key}.lock", self.location)

    @property
    def location(self) -> str:
        return f"s3://{self._bucket}/{self._key}"

    def load(self) -> State | Problem | None:
        """The state in the object, None where there is no object, or a Problem; the object is never changed."""
        answer = _asked(self._aws, self._read)
        if isinstance(answer, Problem):
            return _unreadable(self.location, answer)
        if answer is None:
            self._etag = ""
            return None
        self._etag, document = answer
        return parse_state(document, self.location)

    def save(self, state: State) -> None:
        """Replace the object, if nobody else has meanwhile. Raises Refused where that fails; it is then as it was."""
        document = render_state(state)
        answer = _asked(self._aws, lambda: or_none(lambda: self._put(document), TAKEN))
        if isinstance(answer, Problem):
            raise Refused(_unsaved(self.location, answer))
        self._etag = answer or self._own(document)

    def lock(self, command: str) -> AbstractContextManager[None]:
        return self._lock.held(command)

    def lock_owner(self) -> Owner | None:
        return self._lock.owner()

    def unlock(self) -> Owner | Problem | None:
        return self._lock.taken_away()

    def _read(self) -> tuple[str, bytes] | None:
        answer = or_none(lambda: self._aws.client("s3").get_object(Bucket=self._bucket, Key=self._key), ("NoSuchKey", "404"))
        return (answer["ETag"], answer["Body"].read()) if answer else None

    def _put(self, document: bytes) -> str:
        condition: Any = {"IfMatch": self._etag} if self._etag else {"IfNoneMatch": "*"}
        put = self._aws.client("s3").put_object
        return put(Bucket=self._bucket, Key=self._key, Body=document, ContentType="application/json", **condition)["ETag"]

    def _own(self, document: bytes) -> str:
        """The version that a write of ours made whose answer was lost; anything else is somebody else's."""
        there = _asked(self._aws, self._read)
        if isinstance(there, tuple) and there[1] == document:
            return there[0]
        raise Refused(_changed(self.location))


def _asked[T](aws: Aws, call: Callable[[], T]) -> T | Problem:
    answer = attempt(call, progress=aws.progress)
    return answer.problem if isinstance(answer, Lost) else answer


def _unreadable(place: str, cause: Problem) -> Problem:
    return Problem(
        code="STATE-UNREADABLE",
        what=f"The state {place} could not be read.",
        why=f"{cause.what} {cause.why}",
        do=("Allow s3:GetObject and s3:ListBucket on it for the identity you deploy with, or correct the URI.", "Nothing was changed."),
        request_id=cause.request_id,
    )


def _unsaved(place: str, cause: Problem) -> Problem:
    return Problem(
        code="STATE-NOT-SAVED",
        what=f"The state {place} could not be written.",
        why=f"{cause.what} {cause.why}",
        do=(
            "Allow s3:PutObject on it for the identity you deploy with.",
            "Run the same command again; it continues, and nothing was made that is not recorded.",
        ),
        request_id=cause.request_id,
    )


def _changed(place: str) -> Problem:
    return Problem(
        code="STATE-CHANGED-MEANWHILE",
        what=f"The state {place} was changed by somebody else during this run.",
        why="Its lock had ended or was taken away, and another process works on the same deployment.",
        do=("Look who: `sre-agent-deploy history`.", "When that run has ended, run the same command again; it continues."),
    )

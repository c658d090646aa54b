"""The state in Amazon S3: conditional writes, so that two writers never overwrite each other, and a lock that expires."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import ask
from sre_agent_deploy.journal.lock import Lease, Owner, describe_run, find_other_run
from sre_agent_deploy.journal.s3_lock import LEASE, S3Lock, S3Object
from sre_agent_deploy.journal.state import State, parse_state, render_state
from sre_core.problem import Problem, Refused


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

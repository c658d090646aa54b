"""From what the user wrote to the store that it means: a file, or `s3://bucket/key`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.journal.file_store import FileStore
from sre_agent_deploy.journal.store import Store
from sre_core.problem import Problem, Refused


def is_s3(where: Path | str) -> bool:
    """Whether this names an object in S3, which is not on this machine."""
    # As a Path, `s3://bucket/key` has lost one of its slashes.
    return Path(where).parts[:1] == ("s3:",)


def open_store(where: Path | str, aws: Callable[[], Aws]) -> Store:
    """The store of a state file; `aws` is asked for only where it is in S3. Raises Refused on an S3 URI without a key."""
    if not is_s3(where):
        return FileStore(Path(where).absolute())
    _, *parts = Path(where).parts
    if len(parts) < 2:
        raise Refused(_no_key(str(where)))
    from sre_agent_deploy.journal.s3_store import S3Store

    return S3Store(aws(), parts[0], "/".join(parts[1:]))


def _no_key(where: str) -> Problem:
    return Problem(
        code="STATE-URI",
        what=f"{where} names no object for the state.",
        why="A state in S3 needs a bucket and a key.",
        do=("Write it like this: s3://my-bucket/sre-agent/state.json",),
    )

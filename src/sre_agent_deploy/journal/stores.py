"""From what the user wrote to the store that it means: a file, or `s3://bucket/key`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from sre_agent_deploy.aws import Aws, Endpoint
from sre_agent_deploy.journal.file_store import FileStore
from sre_agent_deploy.journal.store import Store
from sre_core.problem import Problem, Refused


def opened(where: Path | str, environ: Mapping[str, str] = os.environ) -> Store:
    """The store of a state file. Raises Refused on an S3 URI without a key."""
    # As a Path, `s3://bucket/key` has lost one of its slashes.
    scheme, *parts = Path(where).parts
    if scheme != "s3:":
        return FileStore(Path(where).absolute())
    if len(parts) < 2:
        raise Refused(_no_key(str(where)))
    from sre_agent_deploy.journal.s3_store import S3Store

    return S3Store(_aws(environ), parts[0], "/".join(parts[1:]))


def _aws(environ: Mapping[str, str]) -> Aws:
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    url = environ.get("AWS_ENDPOINT_URL", "")
    return Aws(region=region, endpoint=Endpoint(url, environ.get("AWS_CA_BUNDLE", "")) if url else None)


def _no_key(where: str) -> Problem:
    return Problem(
        code="STATE-URI",
        what=f"{where} names no object for the state.",
        why="A state in S3 needs a bucket and a key.",
        do=("Write it like this: s3://my-bucket/sre-agent/state.json",),
    )

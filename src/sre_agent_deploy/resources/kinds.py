"""Every resource type, in the order of creation; cleanup goes through it backwards."""

from __future__ import annotations

from sre_agent_deploy.resource import Resource
from sre_agent_deploy.resources.s3_bucket import S3Bucket

ORDER: tuple[type[Resource], ...] = (S3Bucket,)


def by_kind(kind: str) -> type[Resource]:
    """The class for a journal record's kind. Raises StopIteration on a kind that no version had: a fault of ours."""
    return next(type_ for type_ in ORDER if kind == type_.KIND)

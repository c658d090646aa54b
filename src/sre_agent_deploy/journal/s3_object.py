"""One object in S3: read with its version, and written only in place of a version that is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import or_none

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

"""Content that people add to a deployment, and a backup has: a user and a document."""

from __future__ import annotations

import json
from dataclasses import dataclass

from behaviours.command_line import Desk

_USER, _DOCUMENT, _TEXT = "ann", "reports/one.md", b"# Report\n"


@dataclass(frozen=True)
class Content:
    """A user of the pool and a document of the bucket of the one deployment of a desk."""

    desk: Desk

    def create(self) -> None:
        self.desk.client("cognito-idp").admin_create_user(UserPoolId=self._find("user_pool_id"), Username=_USER, MessageAction="SUPPRESS")
        self.desk.client("s3").put_object(Bucket=self._find("bucket_name"), Key=_DOCUMENT, Body=_TEXT)

    def delete(self) -> None:
        self.desk.client("cognito-idp").admin_delete_user(UserPoolId=self._find("user_pool_id"), Username=_USER)
        self.desk.client("s3").delete_object(Bucket=self._find("bucket_name"), Key=_DOCUMENT)

    def is_there(self) -> bool:
        """Say if both are there and as they were. Raises ClientError where one is absent."""
        found = self.desk.client("s3").get_object(Bucket=self._find("bucket_name"), Key=_DOCUMENT)["Body"].read()
        self.desk.client("cognito-idp").admin_get_user(UserPoolId=self._find("user_pool_id"), Username=_USER)
        return bool(found == _TEXT)

    def size_of(self, uri: str) -> int:
        """Return the size of an object of S3."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return int(self.desk.client("s3").head_object(Bucket=bucket, Key=key)["ContentLength"])

    def _find(self, output: str) -> str:
        records = json.loads(self.desk.state_file.read_text())["records"].values()
        [value] = [each["outputs"][output] for each in records if output in each["outputs"] and each["phase"] == "ready"]
        return str(value)

"""Runbooks of an S3 bucket: every `.md` object below a prefix."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from sre_services.runbooks.files import MOST_BYTES, MOST_FILES, FileLibrary, Files
from sre_services.sources.aws import AwsClient
from sre_services.sources.settings import Settings


class Bucket:
    """The objects of one prefix. One that has not changed is not read again."""

    def __init__(self, client: AwsClient, bucket: str, prefix: str) -> None:
        self._client, self._bucket, self._prefix = client, bucket, prefix
        self._kept: dict[tuple[str, str], str] = {}

    def read(self) -> Files:
        """Return the texts by key. Raises Refused."""
        wanted = list(islice(self._list(), MOST_FILES))
        self._kept = {object: self._kept.get(object) or self._get(object[0]) for object in wanted}
        return {key: text for (key, _), text in self._kept.items()}

    def _list(self) -> Iterator[tuple[str, str]]:
        """Yield key and ETag of the Markdown files."""
        more: dict[str, str] = {}
        while True:
            page = self._client.call("list_objects_v2", "s3:ListBucket", Bucket=self._bucket, Prefix=self._prefix, **more)
            files = (each for each in page.get("Contents", ()) if each["Key"].endswith(".md") and each["Size"] <= MOST_BYTES)
            yield from ((each["Key"], each["ETag"]) for each in files)
            if not page.get("NextContinuationToken"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def _get(self, key: str) -> str:
        return self._client.read("get_object", "s3:GetObject", Bucket=self._bucket, Key=key).decode("utf-8", "replace")


def open_provider(settings: Settings) -> FileLibrary:
    """Open the objects of `bucket` below `prefix`."""
    bucket, prefix = settings.require("bucket"), settings.get("prefix")
    return FileLibrary(f"s3://{bucket}/{prefix}", Bucket(AwsClient("s3", "Amazon S3", settings), bucket, prefix).read)

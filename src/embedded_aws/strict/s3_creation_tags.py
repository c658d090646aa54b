"""Tags that a bucket is born with."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from embedded_aws.strict.replacing import replacing

_NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


def kept() -> None:
    """moto drops the tags of CreateBucketConfiguration; a bucket made with a mark must be found again by it.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucketConfiguration.html
    """
    from moto.s3.responses import S3Response

    @replacing(S3Response, "_bucket_response_put")
    def _bucket_response_put(original: Any, self: Any, request: Any, bucket_name: str, querystring: dict[str, Any]) -> Any:
        answer = original(self, request, bucket_name, querystring)
        # A failed creation raises; any other request about a bucket has a query string.
        if not querystring and (tags := _tags(self.body)):
            self.backend.put_bucket_tagging(bucket_name, tags)
        return answer


def _tags(body: bytes) -> dict[str, str]:
    if b"<Tags>" not in (body or b""):
        return {}
    document = ElementTree.fromstring(body)  # noqa: S314  # its sender has a valid signature of this start
    return {tag.findtext(f"{_NAMESPACE}Key") or "": tag.findtext(f"{_NAMESPACE}Value") or "" for tag in document.iter(f"{_NAMESPACE}Tag")}

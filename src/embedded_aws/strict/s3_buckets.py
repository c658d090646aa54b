"""Buckets: as new ones are, and where they answer."""

from __future__ import annotations

from typing import Any

from embedded_aws.strict.replacing import replacing


def secure_by_default() -> None:
    """A new bucket encrypts with SSE-S3 and blocks public access; moto's does neither.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-bucket-encryption.html and …/access-control-block-public-access.html
    """
    from moto.s3.models import FakeBucket, PublicAccessBlock

    @replacing(FakeBucket, "__init__")
    def __init__(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807  # it is one
        original(self, *args, **kwargs)
        self.encryption = {"Rule": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": "false"}}
        self.public_access_block = PublicAccessBlock(
            block_public_acls=True, ignore_public_acls=True, block_public_policy=True, restrict_public_buckets=True
        )


def answer_in_their_own_region() -> None:
    """A request that is signed for another region than the bucket's is sent to the right one; moto answers it.

    https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (PermanentRedirect) and …/API_HeadBucket.html
    (x-amz-bucket-region). A bucket's location can be asked for, and its name found taken, from anywhere.
    """
    from moto.s3.responses import S3Response

    for name in ("_bucket_response", "_key_response"):

        @replacing(S3Response, name)
        def _response(original: Any, self: Any, request: Any, full_url: str) -> Any:
            bucket = self.backend.buckets.get(self.bucket_name)
            if bucket is None or bucket.region_name == self.region or not _of_one_region(request):
                return original(self, request, full_url)
            return 301, {"x-amz-bucket-region": bucket.region_name, "content-type": "application/xml"}, _REDIRECT


_REDIRECT = (
    "<Error><Code>PermanentRedirect</Code><Message>The bucket you are attempting to access must be addressed using the"
    " specified endpoint. Please send all future requests to this endpoint.</Message></Error>"
)


def _of_one_region(request: Any) -> bool:
    query = request.query_string.decode()
    creates = request.method == "PUT" and request.path.strip("/").count("/") == 0 and not query
    return "Authorization" in request.headers and not creates and "location" not in query

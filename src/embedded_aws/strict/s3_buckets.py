"""New buckets."""

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

"""Buckets whose versions only somebody with an MFA device may delete."""

from __future__ import annotations

import re
from typing import Any

from embedded_aws.strict.replacing import replacing


def honoured() -> None:
    """MFA Delete is kept and shown, changed only with a code, and without one versions are not deleted; moto forgets it.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/MultiFactorAuthenticationDelete.html
    """
    from moto.core.responses import ActionResult
    from moto.s3.exceptions import S3ClientError
    from moto.s3.responses import S3Response

    def refused() -> S3ClientError:
        return S3ClientError("AccessDenied", "Mfa Authentication must be used for this request")

    @replacing(S3Response, "_bucket_response_put")
    def _bucket_response_put(original: Any, self: Any, request: Any, bucket_name: str, querystring: dict[str, Any]) -> Any:
        wanted = re.search(b"<MfaDelete>([A-Za-z]+)</MfaDelete>", self.body or b"") if "versioning" in querystring else None
        if wanted and not request.headers.get("x-amz-mfa"):
            raise refused()
        answer = original(self, request, bucket_name, querystring)
        if wanted:
            self.backend.get_bucket(bucket_name).mfa_delete = wanted[1].decode()
        return answer

    @replacing(S3Response, "get_bucket_versioning")
    def get_bucket_versioning(_original: Any, self: Any) -> Any:
        bucket = self.backend.get_bucket(self.bucket_name)
        self.data["Action"] = "GetBucketVersioning"
        return self.serialized(ActionResult({"Status": bucket.versioning_status, "MFADelete": getattr(bucket, "mfa_delete", None)}))

    @replacing(S3Response, "_bucket_response_delete_keys")
    def _bucket_response_delete_keys(original: Any, self: Any, bucket_name: str, *args: Any, **kwargs: Any) -> Any:
        bucket = self.backend.get_bucket(bucket_name)
        versions = b"<VersionId>" in (self.body or b"")
        if versions and getattr(bucket, "mfa_delete", "") == "Enabled" and not self.headers.get("x-amz-mfa"):
            raise refused()
        return original(self, bucket_name, *args, **kwargs)

"""Amazon S3: new buckets, their region, creation tags, policies and MFA delete."""

from __future__ import annotations

import json
import re
from contextvars import ContextVar
from typing import Any
from xml.etree import ElementTree

from embedded_aws import iam_state, moto_state, policy
from embedded_aws.strict.patching import patch


def secure_new_buckets() -> None:
    """Encrypt new buckets with SSE-S3 and block public access; moto does neither.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-bucket-encryption.html and …/access-control-block-public-access.html
    """
    from moto.s3.models import FakeBucket, PublicAccessBlock

    @patch(FakeBucket, "__init__")
    def __init__(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807  # it is one
        original(self, *args, **kwargs)
        self.encryption = {"Rule": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": "false"}}
        self.public_access_block = PublicAccessBlock(
            block_public_acls=True, ignore_public_acls=True, block_public_policy=True, restrict_public_buckets=True
        )


def enforce_bucket_ownership() -> None:
    """Give new buckets the ownership BucketOwnerEnforced, under which access lists can't be set; moto has neither.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
    """
    from moto.s3.exceptions import S3ClientError
    from moto.s3.models import FakeBucket, S3Backend

    enforced = "BucketOwnerEnforced"

    @patch(FakeBucket, "__init__")
    def __init__(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807  # it is one
        original(self, *args, **kwargs)
        self.ownership_rule = enforced

    @patch(S3Backend, "put_bucket_acl")
    def put_bucket_acl(original: Any, self: Any, bucket_name: str, acl: Any) -> None:
        if acl is not None and self.get_bucket(bucket_name).ownership_rule == enforced and not _is_private(acl):
            raise S3ClientError("AccessControlListNotSupported", "The bucket does not allow ACLs")
        original(self, bucket_name, acl)

    @patch(S3Backend, "put_bucket_ownership_controls")
    def put_bucket_ownership_controls(original: Any, self: Any, bucket_name: str, ownership: Any) -> None:
        if ownership == enforced and not _is_private(self.get_bucket_acl(bucket_name)):
            message = "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"
            raise S3ClientError("InvalidBucketAclWithObjectOwnership", message)
        original(self, bucket_name, ownership)


def _is_private(acl: Any) -> bool:
    """Return True for an access list that has the owner alone."""
    return acl is None or all(grantee.id and not grantee.uri for grant in acl.grants for grantee in grant.grantees)


def redirect_to_bucket_region() -> None:
    """Redirect a request that is signed for another region than that of the bucket; moto answers it.

    https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (PermanentRedirect) and …/API_HeadBucket.html
    (x-amz-bucket-region). A bucket's location can be asked for, and its name found taken, from anywhere.
    """
    from moto.s3.responses import S3Response

    for name in ("_bucket_response", "_key_response"):

        @patch(S3Response, name)
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


_NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


def keep_creation_tags() -> None:
    """Keep the tags of CreateBucketConfiguration, by which a bucket is found again; moto drops them.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucketConfiguration.html
    """
    from moto.s3.responses import S3Response

    @patch(S3Response, "_bucket_response_put")
    def _bucket_response_put(original: Any, self: Any, request: Any, bucket_name: str, querystring: dict[str, Any]) -> Any:
        answer = original(self, request, bucket_name, querystring)
        # A failed creation raises; any other request about a bucket has a query string.
        if not querystring and (tags := _creation_tags(self.body)):
            self.backend.put_bucket_tagging(bucket_name, tags)
        return answer


def _creation_tags(body: bytes) -> dict[str, str]:
    if b"<Tags>" not in (body or b""):
        return {}
    document = ElementTree.fromstring(body)  # noqa: S314  # its sender has a valid signature of this start
    return {tag.findtext(f"{_NAMESPACE}Key") or "": tag.findtext(f"{_NAMESPACE}Value") or "" for tag in document.iter(f"{_NAMESPACE}Tag")}


def forget_tags_of_deleted_buckets() -> None:
    """Delete a bucket's tags with it; in moto the next bucket of that name has them."""
    from moto.s3.models import S3Backend

    @patch(S3Backend, "delete_bucket")
    def delete_bucket(original: Any, self: Any, bucket_name: str) -> Any:
        bucket = self.buckets.get(bucket_name)
        deleted = original(self, bucket_name)
        if deleted is not None and bucket is not None:
            self.tagger.delete_all_tags_for_resource(bucket.arn)
        return deleted


CALLER_ARN: ContextVar[str] = ContextVar("caller_arn", default="")
"""Who sent the request that moto works on."""


def evaluate_policy_conditions() -> None:
    """Evaluate the conditions of bucket policies; moto ignores them, so that a Deny for plain HTTP denies everything.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html
    """
    from moto.iam.access_control import PermissionResult
    from moto.s3.models import FakeBucket

    answers = {
        policy.Verdict.ALLOWED: PermissionResult.PERMITTED,
        policy.Verdict.DENIED: PermissionResult.DENIED,
        policy.Verdict.SILENT: PermissionResult.NEUTRAL,
    }

    @patch(FakeBucket, "get_permission")
    def get_permission(_original: Any, self: Any, action: str, resource: str) -> Any:
        if self.policy is None:
            return PermissionResult.NEUTRAL
        caller = CALLER_ARN.get()
        keys = {"aws:securetransport": "true", "s3:tlsversion": "1.3", "aws:principalarn": iam_state.principal_arn(self.account_id, caller)}
        request = policy.AccessRequest(principal=caller, action=action, resource=resource, keys=keys)
        return answers[policy.evaluate(json.loads(self.policy), request)]


def honour_mfa_delete() -> None:
    """Keep and show MFA Delete, and require a code to change it or to delete versions; moto drops it.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/MultiFactorAuthenticationDelete.html
    """
    from moto.core.responses import ActionResult
    from moto.s3.exceptions import S3ClientError
    from moto.s3.responses import S3Response

    def refused() -> S3ClientError:
        return S3ClientError("AccessDenied", "Mfa Authentication must be used for this request")

    @patch(S3Response, "_bucket_response_put")
    def _bucket_response_put(original: Any, self: Any, request: Any, bucket_name: str, querystring: dict[str, Any]) -> Any:
        wanted = re.search(b"<MfaDelete>([A-Za-z]+)</MfaDelete>", self.body or b"") if "versioning" in querystring else None
        if wanted and not request.headers.get("x-amz-mfa"):
            raise refused()
        answer = original(self, request, bucket_name, querystring)
        if wanted:
            self.backend.get_bucket(bucket_name).mfa_delete = wanted[1].decode()
        return answer

    @patch(S3Response, "get_bucket_versioning")
    def get_bucket_versioning(_original: Any, self: Any) -> Any:
        bucket = self.backend.get_bucket(self.bucket_name)
        self.data["Action"] = "GetBucketVersioning"
        return self.serialized(ActionResult({"Status": bucket.versioning_status, "MFADelete": getattr(bucket, "mfa_delete", None)}))

    @patch(S3Response, "_bucket_response_delete_keys")
    def _bucket_response_delete_keys(original: Any, self: Any, bucket_name: str, *args: Any, **kwargs: Any) -> Any:
        bucket = self.backend.get_bucket(bucket_name)
        versions = b"<VersionId>" in (self.body or b"")
        if versions and getattr(bucket, "mfa_delete", "") == "Enabled" and not self.headers.get("x-amz-mfa"):
            raise refused()
        return original(self, bucket_name, *args, **kwargs)


def require_usable_keys() -> None:
    """Refuse to store in a bucket whose KMS key does not exist or is not enabled; moto stores without looking.

    https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (KMS.NotFoundException, KMS.DisabledException)
    """
    from moto.kms.models import kms_backends
    from moto.s3.exceptions import S3ClientError
    from moto.s3.models import S3Backend

    @patch(S3Backend, "put_object")
    def put_object(original: Any, self: Any, bucket_name: str, *args: Any, **kwargs: Any) -> Any:
        bucket = self.get_bucket(bucket_name)
        default = ((bucket.encryption or {}).get("Rule") or {}).get("ApplyServerSideEncryptionByDefault") or {}
        if arn := default.get("KMSMasterKeyID"):
            keys = kms_backends[bucket.account_id][bucket.region_name].keys
            key = keys.get(moto_state.kms_key_arn(bucket.account_id, bucket.region_name, arn).rpartition("/")[2])
            if key is None:
                raise S3ClientError("KMS.NotFoundException", f"Key '{arn}' does not exist")
            if key.key_state != "Enabled":
                raise S3ClientError("KMS.DisabledException", f"{arn} is disabled.")
        return original(self, bucket_name, *args, **kwargs)

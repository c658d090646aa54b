"""Bucket policies, with their conditions."""

from __future__ import annotations

import json
from contextvars import ContextVar
from typing import Any

from embedded_aws import policy
from embedded_aws.strict.replacing import replacing

CALLER_ARN: ContextVar[str] = ContextVar("caller_arn", default="")
"""Who sent the request that moto works on."""


def conditions_evaluated() -> None:
    """moto ignores conditions, so a Deny for plain HTTP alone would deny everything; here requests come over TLS.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html
    """
    from moto.iam.access_control import PermissionResult
    from moto.s3.models import FakeBucket

    answers = {
        policy.Verdict.ALLOWED: PermissionResult.PERMITTED,
        policy.Verdict.DENIED: PermissionResult.DENIED,
        policy.Verdict.SILENT: PermissionResult.NEUTRAL,
    }

    @replacing(FakeBucket, "get_permission")
    def get_permission(_original: Any, self: Any, action: str, resource: str) -> Any:
        if self.policy is None:
            return PermissionResult.NEUTRAL
        caller = CALLER_ARN.get()
        keys = {"aws:securetransport": "true", "s3:tlsversion": "1.3", "aws:principalarn": caller}
        asked = policy.Asked(principal=caller, action=action, resource=resource, keys=keys)
        return answers[policy.verdict(json.loads(self.policy), asked)]

"""AWS CloudTrail: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/."""

from __future__ import annotations

import json
from typing import Any

from embedded_aws import iam_state, moto_state, policy
from embedded_aws.strict.log_delivery import group_of
from embedded_aws.strict.patching import patch
from embedded_aws.watching.trail_events import refuse_selectors

SERVICE = "cloudtrail.amazonaws.com"
_MOST_TRAILS = 5


def refuse_trails_that_cannot_write() -> None:
    """Refuse a trail whose bucket, log group, role or key does not let CloudTrail write; moto looks for the bucket alone.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html
    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-required-policy-for-cloudwatch-logs.html
    """
    from moto.cloudtrail.models import CloudTrailBackend, Trail
    from moto.core.exceptions import JsonRESTError

    @patch(CloudTrailBackend, "create_trail")
    def create_trail(original: Any, self: Any, name: str, *settings: Any, **more: Any) -> Any:
        if name in self.trails:
            arn = self.trails[name].arn
            raise JsonRESTError("TrailAlreadyExistsException", f"Trail {arn} already exists for customer: {self.account_id}")
        if len(self.trails) >= _MOST_TRAILS:
            raise JsonRESTError("MaximumNumberOfTrailsExceededException", f"User: {self.account_id} already has {_MOST_TRAILS} trails.")
        trail = original(self, name, *settings, **more)
        if refused := _refuse(trail):
            del self.trails[name]
            self.tagging_service.delete_all_tags_for_resource(trail.arn)
            raise JsonRESTError(*refused)
        return trail

    @patch(Trail, "update")
    def update(original: Any, self: Any, *settings: Any, **more: Any) -> None:
        before = dict(vars(self))
        original(self, *settings, **more)
        if refused := _refuse(self):
            vars(self).update(before)
            raise JsonRESTError(*refused)

    @patch(CloudTrailBackend, "delete_trail")
    def delete_trail(original: Any, self: Any, name: str) -> None:
        trail = self.get_trail(name)
        original(self, trail.trail_name)
        self.tagging_service.delete_all_tags_for_resource(trail.arn)

    @patch(CloudTrailBackend, "list_tags")
    def list_tags(original: Any, self: Any, resource_id_list: list[str]) -> Any:
        known = {trail.arn for trail in self.trails.values()}
        if absent := [each for each in resource_id_list if each not in known]:
            raise JsonRESTError("ResourceNotFoundException", f"Resource {absent[0]} is not found.")
        return original(self, resource_id_list)


def validate_event_selectors() -> None:
    """Refuse selectors that CloudTrail refuses, and let advanced ones replace the others; moto accepts everything.

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_PutEventSelectors.html
    """
    from moto.cloudtrail.models import Trail
    from moto.core.exceptions import JsonRESTError

    @patch(Trail, "put_event_selectors")
    def put_event_selectors(original: Any, self: Any, event_selectors: Any, advanced_event_selectors: Any) -> None:
        if bool(event_selectors) == bool(advanced_event_selectors):
            raise JsonRESTError("InvalidEventSelectorsException", "Give either event selectors or advanced event selectors.")
        if why := refuse_selectors(advanced_event_selectors or ()):
            raise JsonRESTError("InvalidEventSelectorsException", why)
        self.event_selectors, self.advanced_event_selectors = event_selectors or [], advanced_event_selectors or []


def show_deliveries() -> None:
    """Show when a trail delivered, and why it could not; in moto every trail has just delivered.

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetTrailStatus.html
    """
    from moto.cloudtrail.models import TrailStatus

    @patch(TrailStatus, "description")
    def description(original: Any, self: Any) -> dict[str, Any]:
        shown = {name: value for name, value in original(self).items() if not name.startswith("Latest")}
        return {**shown, **getattr(self, "delivered", {})}


def _refuse(trail: Any) -> tuple[str, str] | None:
    """Return the error, by code and message, of a trail that can't write; None where it can."""
    if not find_bucket_gaps(trail):
        return _refuse_group(trail) or _refuse_key(trail)
    return "InsufficientS3BucketPolicyException", f"Incorrect S3 bucket policy is detected for bucket: {trail.bucket_name}"


def find_bucket_gaps(trail: Any) -> list[str]:
    """List the actions that the policy of a trail's bucket does not allow to CloudTrail for this trail."""
    document = moto_state.bucket_policy(trail.account_id, trail.bucket_name)
    arn, prefix = f"arn:aws:s3:::{trail.bucket_name}", f"{trail.s3_key_prefix}/" if trail.s3_key_prefix else ""
    keys = {"aws:sourcearn": trail.arn, "aws:sourceaccount": trail.account_id, "aws:securetransport": "true"}
    asked = {
        "s3:GetBucketAcl": (arn, keys),
        "s3:PutObject": (
            f"{arn}/{prefix}AWSLogs/{trail.account_id}/CloudTrail/file",
            {**keys, "s3:x-amz-acl": "bucket-owner-full-control"},
        ),
    }
    requests = {
        action: policy.AccessRequest(principal=SERVICE, action=action, resource=resource, keys=found)
        for action, (resource, found) in asked.items()
    }
    return [action for action, request in requests.items() if policy.evaluate(document, request) is not policy.Verdict.ALLOWED]


def _refuse_group(trail: Any) -> tuple[str, str] | None:
    if not trail.cw_log_group_arn and not trail.cw_role_arn:
        return None
    group = group_of(trail.cw_log_group_arn or "")
    if moto_state.log_group(trail.account_id, trail.region_name, group) is None:
        return "InvalidCloudWatchLogsLogGroupArnException", "CloudTrail cannot validate the specified log group ARN."
    if why := find_role_gap(trail):
        return "InvalidCloudWatchLogsRoleArnException", why
    return None


def find_role_gap(trail: Any) -> str:
    """Say why CloudTrail can't write into a trail's log group by its role; empty where it can."""
    trust = iam_state.trust_policy(trail.account_id, trail.cw_role_arn or "")
    assumed = policy.AccessRequest(principal=SERVICE, action="sts:AssumeRole", resource="", keys={})
    if trust is None or policy.evaluate(trust, assumed) is not policy.Verdict.ALLOWED:
        return "Access denied. Verify in IAM that the role has adequate permissions, and that it trusts CloudTrail."
    group = group_of(trail.cw_log_group_arn)
    streams = f"arn:aws:logs:{trail.region_name}:{trail.account_id}:log-group:{group}:log-stream:{name_stream(trail)}"
    boundary = iam_state.role_boundary(trail.account_id, trail.cw_role_arn)
    limits = (iam_state.role_policies(trail.account_id, trail.cw_role_arn), *(() if boundary is None else (boundary,)))
    actions = ("logs:CreateLogStream", "logs:PutLogEvents")
    refused = [action for action in actions for policies in limits if not policy.allows(policies, action, streams, {})]
    return f"Access denied. The role does not allow {refused[0]} on {streams}." if refused else ""


def name_stream(trail: Any) -> str:
    """Name the log stream into which a trail writes."""
    return f"{trail.account_id}_CloudTrail_{trail.region_name}"


def _refuse_key(trail: Any) -> tuple[str, str] | None:
    if not trail.kms_key_id:
        return None
    state = moto_state.kms_key_state(trail.account_id, trail.region_name, trail.kms_key_id)
    if not state:
        return "KmsKeyNotFoundException", f"KMS key {trail.kms_key_id} does not exist."
    if state != "Enabled":
        return "KmsKeyDisabledException", f"KMS key {trail.kms_key_id} is {state}."
    document = json.loads(moto_state.kms_key_policy(trail.account_id, trail.region_name, trail.kms_key_id))
    keys = {
        "aws:sourcearn": trail.arn,
        "aws:sourceaccount": trail.account_id,
        "kms:encryptioncontext:aws:cloudtrail:arn": trail.arn,
    }
    for action in ("kms:GenerateDataKey", "kms:DescribeKey"):
        request = policy.AccessRequest(principal=SERVICE, action=action, resource=trail.kms_key_id, keys=keys)
        if policy.evaluate(document, request) is not policy.Verdict.ALLOWED:
            return "InsufficientEncryptionPolicyException", f"Insufficient permissions to access S3 bucket or KMS key {trail.kms_key_id}."
    return None

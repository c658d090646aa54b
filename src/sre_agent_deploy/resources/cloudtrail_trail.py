"""AWS::CloudTrail::Trail"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.later import LaterText, require_known
from sre_agent_deploy.resource import (
    DEPLOYMENT_TAG,
    CfnResource,
    Defaults,
    Failures,
    Found,
    Mark,
    Owned,
    Steps,
    TagChanges,
    cfn,
    tags_of,
)
from sre_agent_deploy.resources import policy_document
from sre_agent_deploy.resources.iam_role import IamRole
from sre_agent_deploy.resources.logs_log_group import LogGroup
from sre_agent_deploy.resources.s3_bucket import S3Bucket
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_GONE = ("TrailNotFoundException",)
_AS_DECLARED = "as declared"


@dataclass(frozen=True, kw_only=True)
class Trail(Defaults):
    """Records every request to the gateway, and what changes the account, tokens of Cognito among it: AWS refuses where no machine sees."""

    KIND: ClassVar[str] = "AWS::CloudTrail::Trail"
    UNIQUE: ClassVar[bool] = True
    FIXED: ClassVar[frozenset[str]] = frozenset({"trail_name"})
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"trail_name"})
    DELETE_BEFORE: ClassVar[frozenset[str]] = frozenset({S3Bucket.KIND, LogGroup.KIND, IamRole.KIND})
    # Until IAM and S3 know the role and the policy everywhere.
    PROPAGATES: ClassVar[frozenset[str]] = frozenset({"InvalidCloudWatchLogsRoleArnException", "InsufficientS3BucketPolicyException"})
    MOST_TAGS: ClassVar[int] = 50
    EXEMPT: ClassVar[Mapping[str, str]] = {"selectors": "they follow from the gateway; only what AWS has can be otherwise"}
    NOT_COMPARED: ClassVar[Mapping[str, str]] = {"S3KeyPrefix, SnsTopicName": "the bucket's policy and this topic are the trail's own"}

    name: str
    trail_name: str
    bucket_name: LaterText
    log_group_arn: LaterText
    role_arn: LaterText
    gateway_arn: LaterText
    kms_key: str = ""
    log_file_validation: bool = True
    """CloudTrail signs a digest of its log files each hour, so that a changed file is found."""
    multi_region: bool = False
    global_events: bool = False
    logging: bool = True
    selectors: str = _AS_DECLARED

    def natural_id(self, aws: Aws) -> str:
        return self.trail_name

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        pages = aws.client("cloudtrail").get_paginator("list_trails").paginate()
        # Trails of other regions and of the organization are listed, too.
        ours = [
            each for page in pages for each in page["Trails"] if each["Name"].startswith(deployment) and each["HomeRegion"] == aws.region
        ]
        tagged = [(each["Name"], _read_tags(aws, each["TrailARN"])) for each in ours]
        return tuple(Owned.tagged(name, tags) for name, tags in tagged if tags.get(DEPLOYMENT_TAG) == deployment)

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        answer: Any = or_none(lambda: aws.client("cloudtrail").get_trail(Name=id), _GONE)
        if answer is None:
            return None
        trail = answer["Trail"]
        selectors = aws.client("cloudtrail").get_event_selectors(TrailName=id).get("AdvancedEventSelectors") or []
        gateway_arn = _find_gateway(selectors)
        seen = cls(
            name=name,
            trail_name=id,
            bucket_name=trail["S3BucketName"],
            log_group_arn=trail.get("CloudWatchLogsLogGroupArn") or "",
            role_arn=trail.get("CloudWatchLogsRoleArn") or "",
            gateway_arn=gateway_arn,
            kms_key=trail.get("KmsKeyId") or "",
            log_file_validation=trail.get("LogFileValidationEnabled", False),
            multi_region=trail.get("IsMultiRegionTrail", False),
            global_events=trail.get("IncludeGlobalServiceEvents", False),
            logging=aws.client("cloudtrail").get_trail_status(Name=id)["IsLogging"],
            selectors=_compare_selectors(_select(gateway_arn), selectors),
        )
        return Found(id, seen, {"trail_name": id, "trail_arn": trail["TrailARN"]}, _read_tags(aws, trail["TrailARN"]))

    def create(self, aws: Aws, mark: Mark) -> str:
        key: Any = {"KmsKeyId": self.kms_key} if self.kms_key else {}
        aws.client("cloudtrail").create_trail(**self._settings(), **key, TagsList=_list_tags(mark.tags()))
        return self.trail_name

    def configure(self, aws: Aws, id: str) -> None:
        found = type(self).read(aws, id, self.name)
        if found and found.seen == self:
            return
        cloudtrail = aws.client("cloudtrail")
        # An empty key takes the encryption by a key off.
        cloudtrail.update_trail(**self._settings(), KmsKeyId=self.kms_key)
        selectors: Any = _select(require_known(self.gateway_arn))
        cloudtrail.put_event_selectors(TrailName=id, AdvancedEventSelectors=selectors)
        if self.logging:
            cloudtrail.start_logging(Name=id)
        else:
            cloudtrail.stop_logging(Name=id)

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        found = cls.read(aws, id, "")
        arn = str(found.outputs["trail_arn"]) if found else ""
        if arn and changes.set:
            aws.client("cloudtrail").add_tags(ResourceId=arn, TagsList=_list_tags(changes.set))
        if arn and changes.remove:
            aws.client("cloudtrail").remove_tags(ResourceId=arn, TagsList=[{"Key": key} for key in changes.remove])

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        or_none(lambda: aws.client("cloudtrail").delete_trail(Name=id), _GONE)

    def console(self) -> Steps:
        flags = {
            "enable-log-file-validation": self.log_file_validation,
            "is-multi-region-trail": self.multi_region,
            "include-global-service-events": self.global_events,
        }
        switches = " ".join(f"--{'' if on else 'no-'}{flag}" for flag, on in flags.items())
        key = f" --kms-key-id {self.kms_key}" if self.kms_key else ""
        return (
            "In CloudShell (the Console makes trails of all regions only), run:",
            f"aws cloudtrail create-trail --name {self.trail_name} --s3-bucket-name {self.bucket_name} "
            f"--cloud-watch-logs-log-group-arn {self.log_group_arn} --cloud-watch-logs-role-arn {self.role_arn}{key} {switches}",
            "Upload this to CloudShell as selectors.json (Actions > Upload file):",
            policy_document.render_indented({"TrailName": self.trail_name, "AdvancedEventSelectors": _select(self.gateway_arn)}),
            "aws cloudtrail put-event-selectors --cli-input-json file://selectors.json",
            f"aws cloudtrail {'start' if self.logging else 'stop'}-logging --name {self.trail_name}",
        )

    def template(self) -> CfnResource:
        settings = {key: value for key, value in self._settings(known=False).items() if key not in ("Name", "S3BucketName")}
        return cfn(
            self.KIND,
            {"trail_name": "Ref", "trail_arn": "Arn"},
            TrailName=self.trail_name,
            S3BucketName=self.bucket_name,
            KMSKeyId=self.kms_key,
            IsLogging=self.logging,
            AdvancedEventSelectors=_select(self.gateway_arn),
            **settings,
        )

    def _settings(self, *, known: bool = True) -> dict[str, Any]:
        read: Any = require_known if known else lambda value: value
        return {
            "Name": self.trail_name,
            "S3BucketName": read(self.bucket_name),
            "IncludeGlobalServiceEvents": self.global_events,
            "IsMultiRegionTrail": self.multi_region,
            "EnableLogFileValidation": self.log_file_validation,
            "CloudWatchLogsLogGroupArn": read(self.log_group_arn),
            "CloudWatchLogsRoleArn": read(self.role_arn),
        }

    FAILURES: ClassVar[Failures] = {
        ("CreateTrail", "TrailAlreadyExistsException"): lambda trail: Problem(
            code="CLOUDTRAIL-NAME-TAKEN",
            what=f"Trail {trail.trail_name} was not created.",
            why="This account has a trail of that name in this region, and it does not carry this deployment's tag.",
            do=(
                "Set another `name:` for this deployment, or delete that trail if it is a leftover "
                f"(aws cloudtrail delete-trail --name {trail.trail_name}).",
                "Run the same command again.",
            ),
        ),
        ("CreateTrail", "MaximumNumberOfTrailsExceededException"): lambda trail: Problem(
            code="CLOUDTRAIL-QUOTA",
            what=f"Trail {trail.trail_name} was not created.",
            why="A region can have five trails, those of the organization included, and this one has them.",
            do=(
                "Delete a trail that nobody reads (CloudTrail > Trails).",
                "Or set monitoring.cloudtrail to false.",
                "Run the same command again.",
            ),
            aws_docs="https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html",
        ),
        **{
            (operation, code): lambda trail: Problem(
                code="CLOUDTRAIL-KEY-REFUSED",
                what=f"Trail {trail.trail_name} can't encrypt its log files with {trail.kms_key or 'its key'}.",
                why="The key is absent or disabled, or its policy does not let CloudTrail use it.",
                do=(
                    "Allow kms:GenerateDataKey* and kms:DescribeKey on the key to cloudtrail.amazonaws.com "
                    "(KMS > Customer managed keys > Key policy).",
                    "Run the same command again.",
                ),
                aws_docs="https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail.html",
            )
            for operation in ("CreateTrail", "UpdateTrail")
            for code in ("InsufficientEncryptionPolicyException", "KmsKeyNotFoundException", "KmsKeyDisabledException")
        },
        **{
            (operation, code): lambda trail: Problem(
                code="CLOUDTRAIL-CANT-WRITE",
                what=f"Trail {trail.trail_name} can't keep what it records.",
                why=f"The policy of bucket {trail.bucket_name}, or the role {trail.role_arn}, does not let CloudTrail write; a change of "
                "either has not reached all of AWS, or was undone by hand.",
                do=("See which of them differs: `sre-agent-deploy plan`.", "Run the same command again: it repairs both."),
                aws_docs="https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html",
            )
            for operation in ("CreateTrail", "UpdateTrail")
            for code in ("InsufficientS3BucketPolicyException", "InvalidCloudWatchLogsRoleArnException")
        },
    }


def _select(gateway_arn: LaterText) -> list[dict[str, Any]]:
    """Build the selectors. A trail can't choose the management events of one service, so those of all that change something are kept.

    https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/enabling-cloudtrail-data-event-logging.html
    https://docs.aws.amazon.com/cognito/latest/developerguide/understanding-amazon-cognito-entries.html
    """
    gateway = {"eventCategory": "Data", "resources.type": "AWS::BedrockAgentCore::Gateway", "resources.ARN": gateway_arn}
    return [
        _selector("Requests to the gateway", gateway),
        _selector("Tokens of Cognito, and changes of the account", {"eventCategory": "Management", "readOnly": "false"}),
    ]


def _selector(name: str, fields: Mapping[str, LaterText]) -> dict[str, Any]:
    return {"Name": name, "FieldSelectors": [{"Field": field, "Equals": [value]} for field, value in fields.items()]}


def _find_gateway(selectors: list[Any]) -> str:
    """Return the ARN that the first selector chooses; empty where there is none."""
    fields = (field for each in selectors for field in each["FieldSelectors"] if field["Field"] == "resources.ARN")
    return next((str(field["Equals"][0]) for field in fields if field.get("Equals")), "")


def _compare_selectors(wanted: list[Any], seen: list[Any]) -> str:
    """Return `as declared`, or the text of other selectors, which so counts as a difference. Their order means nothing."""
    return _AS_DECLARED if _sort(seen) == _sort(wanted) else json.dumps(seen, sort_keys=True)


def _sort(selectors: list[Any]) -> list[list[str]]:
    return sorted(
        sorted(json.dumps({key: value for key, value in field.items() if value}, sort_keys=True) for field in each["FieldSelectors"])
        for each in selectors
    )


def find_trails(aws: Aws, log_group: str) -> tuple[str, ...]:
    """List the ARNs of the trails that deliver into a log group of this account and region."""
    trails = aws.client("cloudtrail").describe_trails(includeShadowTrails=True)["trailList"]
    group = f"arn:{aws.partition}:logs:{aws.region}:{aws.account_id}:log-group:{log_group}:*"
    return tuple(trail["TrailARN"] for trail in trails if trail.get("CloudWatchLogsLogGroupArn") == group)


def describe_deliveries(aws: Aws, trail: str) -> str:
    """Say why a trail, by its name or ARN, delivers nothing; empty where it delivers."""
    status: Mapping[str, Any] = aws.client("cloudtrail").get_trail_status(Name=trail)
    errors = {"the bucket": "LatestDeliveryError", "the log group": "LatestCloudWatchLogsDeliveryError"}
    faults = [f"{place} gets nothing: {status[error]}" for place, error in errors.items() if status.get(error)]
    return "; ".join(faults if status["IsLogging"] else ["it was stopped"])


def _list_tags(tags: Mapping[str, str]) -> list[Any]:
    """List tags as CloudTrail takes them: an empty value is left out."""
    return [{"Key": key, **({"Value": value} if value else {})} for key, value in tags.items()]


def _read_tags(aws: Aws, arn: str) -> dict[str, str]:
    answer: Any = or_none(lambda: aws.client("cloudtrail").list_tags(ResourceIdList=[arn]), (*_GONE, "ResourceNotFoundException"))
    return tags_of(tag for each in (answer or {}).get("ResourceTagList", ()) for tag in each.get("TagsList", ()))

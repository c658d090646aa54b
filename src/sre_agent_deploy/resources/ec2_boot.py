"""The start of an instance: where it is launched, what EC2 refuses, with what to do first, and the boot reports that follow.

A boot report is a small status object in S3.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.later import LaterText
from sre_agent_deploy.resource import Failures, Ready, Waiting
from sre_agent_deploy.resources.s3_content import delete_versions
from sre_core import duration
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws


_AGAIN = "Run the same command again; it continues."
_TROUBLE = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/troubleshooting-launch.html"


@dataclass(frozen=True)
class LaunchPlace:
    """An instance type, and a subnet to launch it in."""

    instance_type: str
    subnet_id: LaterText

    def __str__(self) -> str:
        return f"{self.instance_type} in {self.subnet_id}"


NO_ROOM = frozenset(
    ("RunInstances", code)
    for code in (
        "InsufficientInstanceCapacity",
        "InsufficientVolumeCapacity",
        "InsufficientFreeAddressesInSubnet",
        "Unsupported",
        "UnsupportedOperation",
        "VolumeTypeNotAvailableInZone",
    )
)
"""The refusals of one place, after which another may do."""


class Launched(Protocol):
    """An instance, as far as its Problems name it."""

    @property
    def instance_type(self) -> str: ...
    @property
    def image_id(self) -> str: ...
    @property
    def subnet_id(self) -> LaterText: ...
    @property
    def security_group_id(self) -> LaterText: ...


def _no_capacity(instance: Launched) -> Problem:
    return Problem(
        code="INSTANCE-CAPACITY",
        what=f"No {instance.instance_type} was started.",
        why="AWS has no free machine of this type, or no room for its volume, in the subnet's Availability Zone at the moment.",
        do=(
            "Name other types and Availability Zones in deployment.fallbacks, for example [{instance_type: m6i.xlarge}]: "
            "they are tried by themselves.",
            "Run the same command again, at once or in some minutes; it continues.",
        ),
        aws_docs=_TROUBLE,
    )


def _over_quota(instance: Launched) -> Problem:
    return Problem(
        code="INSTANCE-QUOTA",
        what=f"No {instance.instance_type} was started.",
        why="It would exceed this account's quota of vCPUs for running On-Demand instances of this family.",
        do=("Ask for more under Service Quotas > Amazon EC2 > Running On-Demand Standard instances, or stop other instances.", _AGAIN),
    )


def _unsupported(instance: Launched) -> Problem:
    return Problem(
        code="INSTANCE-TYPE-UNSUPPORTED",
        what=f"No {instance.instance_type} was started.",
        why="The subnet's Availability Zone does not offer this instance type or its kind of volume, or the image does not run on it.",
        do=("Name another Availability Zone or type in deployment.fallbacks, or another deployment.instance_type.", _AGAIN),
    )


def _no_image(instance: Launched) -> Problem:
    return Problem(
        code="INSTANCE-IMAGE-NOT-FOUND",
        what=f"No instance was started from {instance.image_id}.",
        why="This region has no such image, or it is not shared with this account. Image ids differ from region to region.",
        do=("Correct deployment.ami_id, or leave it empty to use the newest official image.", "Run the same command again."),
    )


def _not_subscribed(instance: Launched) -> Problem:
    return Problem(
        code="INSTANCE-IMAGE-NOT-SUBSCRIBED",
        what=f"No instance was started from {instance.image_id}.",
        why="The image is sold on AWS Marketplace, and this account has not accepted its terms; or the account is not activated yet.",
        do=(
            "Accept the terms on the product's page in AWS Marketplace, or leave deployment.ami_id empty to use an official image.",
            _AGAIN,
        ),
        aws_docs="https://docs.aws.amazon.com/marketplace/latest/buyerguide/buyer-ami-subscription.html",
    )


def _no_subnet(instance: Launched) -> Problem:
    return Problem(
        code="SUBNET-NOT-FOUND",
        what=f"No instance was started in {instance.subnet_id}.",
        why="There is no such subnet in this account and region.",
        do=("Correct aws.subnet_id (VPC > Subnets), or leave it empty to use a default subnet.", "Run the same command again."),
    )


def _no_group(instance: Launched) -> Problem:
    return Problem(
        code="SECURITY-GROUP-NOT-FOUND",
        what=f"No instance was started in security group {instance.security_group_id}.",
        why="The group was deleted meanwhile, or EC2 takes longer than usual to propagate it.",
        do=("See whether the group exists: EC2 > Security Groups.", "Run the same command again; it creates what is missing."),
    )


def protected(instance_id: str) -> Problem:
    # It was switched on for a reason, so it is not switched off here.
    return Problem(
        code="INSTANCE-PROTECTED",
        what=f"Instance {instance_id} was not terminated.",
        why="Its termination protection or stop protection was switched on by hand.",
        do=(
            f"If it may go: aws ec2 modify-instance-attribute --instance-id {instance_id} --no-disable-api-termination "
            "(and the same with --no-disable-api-stop).",
            "Run the same command again.",
        ),
    )


LAUNCH_FAILURES: Failures = {
    ("RunInstances", "InsufficientInstanceCapacity"): _no_capacity,
    ("RunInstances", "InsufficientVolumeCapacity"): _no_capacity,
    ("RunInstances", "VcpuLimitExceeded"): _over_quota,
    ("RunInstances", "InstanceLimitExceeded"): _over_quota,
    ("RunInstances", "Unsupported"): _unsupported,
    ("RunInstances", "UnsupportedOperation"): _unsupported,
    ("RunInstances", "VolumeTypeNotAvailableInZone"): _unsupported,
    ("RunInstances", "InvalidAMIID.NotFound"): _no_image,
    ("RunInstances", "InvalidAMIID.Malformed"): _no_image,
    ("RunInstances", "InvalidAMIID.Unavailable"): _no_image,
    # The credentials are good: every plan has used them before. EC2 answers this for images of other accounts.
    ("RunInstances", "AuthFailure"): _no_image,
    ("RunInstances", "OptInRequired"): _not_subscribed,
    ("RunInstances", "InvalidSubnetID.NotFound"): _no_subnet,
    ("RunInstances", "InvalidSubnetId.NotFound"): _no_subnet,
    ("RunInstances", "InvalidSubnetID.Malformed"): _no_subnet,
    ("RunInstances", "InvalidGroup.NotFound"): _no_group,
    ("RunInstances", "InvalidSecurityGroupID.NotFound"): _no_group,
    ("RunInstances", "InsufficientFreeAddressesInSubnet"): lambda instance: Problem(
        code="SUBNET-FULL",
        what=f"No instance was started in {instance.subnet_id}.",
        why="The subnet has no free private address.",
        do=("Name another subnet in aws.subnet_id.", "Run the same command again."),
    ),
    ("RunInstances", "InvalidKeyPair.NotFound"): lambda instance: Problem(
        code="INSTANCE-KEY-PAIR-NOT-FOUND",
        what=f"No instance was started with key pair {instance.key_name}.",
        why="This region has no such key pair.",
        do=(
            "Correct deployment.key_name (EC2 > Key Pairs), or leave it empty: Session Manager needs none.",
            "Run the same command again.",
        ),
    ),
    ("RunInstances", "InvalidBlockDeviceMapping"): lambda instance: Problem(
        code="INSTANCE-VOLUME-TOO-SMALL",
        what=f"No instance was started with a root volume of {instance.volume_gb} GiB.",
        why=f"Image {instance.image_id} needs a larger one, or one of another kind.",
        do=("Set deployment.volume_gb to at least the size of the image's snapshot (EC2 > AMIs > Storage).", _AGAIN),
    ),
    ("RunInstances", "InvalidParameterValue"): lambda instance: Problem(
        code="INSTANCE-PROFILE-NOT-READY",
        what=f"No instance was started with instance profile {instance.profile_arn}.",
        why="EC2 did not accept a value; usually IAM has not propagated a new instance profile yet.",
        do=(
            "See whether the profile exists and has its role: `sre-agent-deploy plan`.",
            "Run the same command again in a minute; it continues.",
        ),
    ),
    ("RunInstances", "IdempotentInstanceTerminated"): lambda instance: Problem(
        code="INSTANCE-NOT-FOUND",
        what=f"No {instance.instance_type} was started.",
        why="The one that an interrupted run had started was terminated meanwhile, and EC2 starts no second one for the same request.",
        do=(
            "See who terminated it: CloudTrail > Event history, TerminateInstances.",
            "Run the same command again; it starts a new instance.",
        ),
    ),
    ("StartInstances", "IncorrectInstanceState"): lambda instance: Problem(
        code="INSTANCE-NOT-RUNNING",
        what=f"Resource {instance.name} was not started.",
        why="EC2 starts an instance only after it has stopped, and this one was still stopping.",
        do=("Wait until EC2 > Instances shows it as stopped.", "Then run the same command again; it starts the instance."),
    ),
    ("StartInstances", "InsufficientInstanceCapacity"): _no_capacity,
    ("StartInstances", "InstanceLimitExceeded"): _over_quota,
    ("StartInstances", "VcpuLimitExceeded"): _over_quota,
    ("TerminateInstances", "OperationNotPermitted"): lambda _: protected("INSTANCE"),
}


STEPS = ("release", "credentials", "services", "front_door", "ready")
# Where a machine has the log of a step. Before `services` there is only what cloud-init kept.
_CLOUD_INIT = "sudo less /var/log/cloud-init-output.log"
_LOGS = {"services": "sudo journalctl -b -u 'sre-agent*'"} | dict.fromkeys(("front_door", "ready"), "sudo journalctl -b -u nginx")
_LINES_OF_CONSOLE = 40


@dataclass(frozen=True)
class Status:
    """The last report of one step of the bootstrap."""

    step: str
    state: str
    what: str = ""
    output: str = ""
    listeners: tuple[Mapping[str, Any], ...] = ()
    time: str = ""
    reboot: str = ""
    """Of `updates`: `now`, or `waiting` for `next_window`; empty where no restart is needed."""
    next_window: str = ""

    @classmethod
    def parse(cls, step: str, text: str) -> Status:
        """Parse the text of a status object; one that can't be read counts as running, since it may be being written."""
        try:
            parts = json.loads(text)
        except ValueError:
            parts = None
        if not isinstance(parts, dict):
            return cls(step, "running")
        state, what, output, time = (str(parts.get(key, "")) for key in ("state", "what", "output", "time"))
        of_updates = {key: str(parts.get(key, "")) for key in ("reboot", "next_window")}
        return cls(step, state, what, output, tuple(parts.get("listeners") or ()), time, **of_updates)


def judge_boot(instance_id: str, status: Status | None) -> Ready | Waiting | Problem:
    """Judge by the last report of an instance if it works (pure)."""
    if status is None:
        return Waiting("instance is running; its bootstrap has not reported yet")
    if status.state == "failed":
        return _failed(instance_id, status)
    if status.state == "ok" and status.step == STEPS[-1]:
        return Ready()
    number = f"({STEPS.index(status.step) + 1} of {len(STEPS)})"
    return Waiting(f"bootstrap {'has finished' if status.state == 'ok' else 'is at'} {status.step} {number}")


def private_url(status: Status | None) -> str:
    """Return the URL of the front door's port 443 inside the VPC, as `ready` reported it; empty before that (pure)."""
    https = next((listener for listener in (status.listeners if status else ()) if listener.get("port") == 443), None)
    if https is None:
        return ""
    port = https.get("actual_port", 443)
    return f"https://{https['address']}" + ("" if port == 443 else f":{port}")


def own_uri(status_uri: str, instance_id: str) -> str:
    """Name the prefix below which one instance reports: an update has two, and each is judged by its own reports (pure)."""
    return f"{status_uri}{instance_id}/"


def read_latest_status(aws: Aws, status_uri: str, instance_id: str, since: datetime) -> Status | None:
    """Read the newest report of an instance that was started at `since`; older reports are from an earlier start."""
    bucket, _, prefix = status_uri.removeprefix("s3://").partition("/")
    # S3 shows whole seconds: a report of the first second must not look older than the launch.
    launched = since.replace(microsecond=0)
    times = {key: time for key, time in _list_reports(aws, bucket, prefix).items() if time >= launched}
    own = {f"{prefix}{instance_id}/{step}.json": number for number, step in enumerate(STEPS)}
    # Instances of an earlier version report to one prefix. Of those reports only `ready` is not overwritten by an instance that fails.
    shared = {f"{prefix}{STEPS[-1]}.json": len(STEPS) - 1}
    keys = [key for key in own if key in times] or [key for key in shared if key in times]
    if not keys:
        return None
    # Of two reports of one second the later step is newer.
    steps = own | shared
    newest = max(keys, key=lambda key: (times[key], steps[key]))
    return Status.parse(STEPS[steps[newest]], _read_text(aws, bucket, newest))


def _list_reports(aws: Aws, bucket: str, prefix: str) -> dict[str, datetime]:
    answer = or_none(lambda: aws.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix), ("NoSuchBucket",))
    return {each["Key"]: each["LastModified"] for each in answer.get("Contents", [])} if answer else {}


def read_reports(aws: Aws, status_uri: str, instance_id: str) -> tuple[Status, ...]:
    """Read the report of each step of an instance, in the order of the steps."""
    bucket, _, prefix = own_uri(status_uri, instance_id).removeprefix("s3://").partition("/")
    written = _list_reports(aws, bucket, prefix)
    keys = [(step, f"{prefix}{step}.json") for step in STEPS]
    return tuple(Status.parse(step, _read_text(aws, bucket, key)) for step, key in keys if key in written)


def read_report(aws: Aws, uri: str, name: str) -> Status | None:
    """Read one report below the prefix of an instance; None where there is none yet."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    text = _read_text(aws, bucket, f"{prefix}{name}.json")
    return Status.parse(name, text) if text else None


def failure_of(status: Status | None, age: timedelta, limit: timedelta) -> str:
    """Say why an instance of this age will never work (pure). Its bootstrap runs once, so the instance must be replaced."""
    if status and status.state == "failed":
        return f"its bootstrap failed at {status.step}"
    if age > limit and not (status and (status.step, status.state) == (STEPS[-1], "ok")):
        return f"its bootstrap has not finished in {duration.format_exactly(limit)}"
    return ""


def read_console(aws: Aws, instance_id: str) -> str:
    """Read the end of what the instance printed on its serial console; empty where EC2 has nothing yet."""
    answer = or_none(lambda: aws.client("ec2").get_console_output(InstanceId=instance_id), ("InvalidInstanceID.NotFound",))
    # boto3 has decoded it.
    return "\n".join((answer.get("Output", "") if answer else "").splitlines()[-_LINES_OF_CONSOLE:])


def delete_reports(aws: Aws, uri: str) -> None:
    """Delete the reports under an `s3://bucket/prefix/`."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    if _list_reports(aws, bucket, prefix):
        delete_versions(aws, bucket, prefix)


def _read_text(aws: Aws, bucket: str, key: str) -> str:
    answer = or_none(lambda: aws.client("s3").get_object(Bucket=bucket, Key=key), ("NoSuchKey",))
    return answer["Body"].read().decode(errors="replace") if answer else ""


def _failed(instance_id: str, status: Status) -> Problem:
    return Problem(
        code="INSTANCE-BOOT-FAILED",
        what=f"The bootstrap of {instance_id} failed at {status.step}: {status.what}",
        why=f"Its last output was:\n{status.output}" if status.output else "The step gave no output.",
        do=(
            "Correct what the message names and run the same command again: it starts a new instance in place of this one.",
            f"On AWS, inspect the machine first: aws ssm start-session --target {instance_id}, then {_LOGS.get(status.step, _CLOUD_INIT)}.",
        ),
        context={"step": status.step},
    )

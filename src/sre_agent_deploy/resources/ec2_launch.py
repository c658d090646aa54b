"""Where an instance is launched, and what EC2 refuses to launch, start or end it with, with what to do first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sre_agent_deploy.later import LaterText
from sre_agent_deploy.resource import Failures
from sre_core.problem import Problem

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
        do=("Run the same command again; it creates what is missing.",),
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
        do=("Run the same command again in a minute; it continues.",),
    ),
    ("RunInstances", "IdempotentInstanceTerminated"): lambda instance: Problem(
        code="INSTANCE-NOT-FOUND",
        what=f"No {instance.instance_type} was started.",
        why="The one that an interrupted run had started was terminated meanwhile, and EC2 starts no second one for the same request.",
        do=("Run the same command again; it starts a new instance.",),
    ),
    ("StartInstances", "IncorrectInstanceState"): lambda instance: Problem(
        code="INSTANCE-NOT-RUNNING",
        what=f"Resource {instance.name} was not started.",
        why="EC2 starts an instance only after it has stopped, and this one was still stopping.",
        do=("Run the same command again in a minute; it starts it.", "See its state: EC2 > Instances."),
    ),
    ("StartInstances", "InsufficientInstanceCapacity"): _no_capacity,
    ("StartInstances", "InstanceLimitExceeded"): _over_quota,
    ("StartInstances", "VcpuLimitExceeded"): _over_quota,
    ("TerminateInstances", "OperationNotPermitted"): lambda _: protected("INSTANCE"),
}

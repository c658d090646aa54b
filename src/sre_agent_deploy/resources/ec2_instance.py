"""AWS::EC2::Instance"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.later import LaterText, Outputs, Ref, require_known
from sre_agent_deploy.resource import CfnResource, Defaults, Failures, Found, Mark, Owned, Ready, Steps, TagChanges, Waiting, cfn, tags_of
from sre_agent_deploy.resources import ec2_boot
from sre_agent_deploy.resources.ec2_boot import LAUNCH_FAILURES, NO_ROOM, LaunchPlace, protected
from sre_agent_deploy.resources.ec2_calls import (
    INSTEAD_TAG,
    IPV6_TAG,
    STATUS_TAG,
    SYSTEM_TAG,
    USUAL_ROOT,
    change_tags,
    describe_instance,
    find_ipv6_address,
    first_launch,
    keeps_root_volume,
    of_deployment,
    read_protections,
    read_root_device_name,
    read_root_volume,
    read_user_data,
    serves,
    set_tag,
    tag_specification,
)
from sre_agent_deploy.resources.ec2_security_group import SecurityGroup
from sre_agent_deploy.resources.ec2_subnet import Subnet
from sre_agent_deploy.resources.iam_instance_profile import InstanceProfile
from sre_agent_deploy.resources.s3_bucket import S3Bucket
from sre_agent_deploy.resources.secretsmanager_secret import GeneratedSecret
from sre_core import clock
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws


@dataclass(frozen=True, kw_only=True)
class Ec2Instance(Defaults):
    """Runs the assistant and the backends. It is never changed: another configuration is another instance, beside this one."""

    KIND: ClassVar[str] = "AWS::EC2::Instance"
    FIXED: ClassVar[frozenset[str]] = frozenset(
        {
            "image_id",
            "instance_type",
            "subnet_id",
            "security_group_id",
            "profile_arn",
            "user_data",
            "volume_gb",
            "key_name",
            "status_uri",
            "operating_system",
            "ipv6",
        }
    )
    EXEMPT: ClassVar[Mapping[str, str]] = {
        "instance_state": "a new instance runs; one that was stopped is started again",
        **dict.fromkeys(
            ("termination_protection", "stop_protection", "keeps_volume"), "a new instance has none; what is set by hand is shown by a plan"
        ),
    }
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"image_id", "subnet_id", "key_name"})
    PROTECTIONS: ClassVar[Mapping[str, str]] = {
        "termination_protection": "its termination protection, which was switched on by hand, stays on",
        "stop_protection": "its stop protection, which was switched on by hand, stays on",
        "keeps_volume": "its volume, as was set by hand, stays when the instance is terminated",
    }
    NOT_COMPARED: ClassVar[Mapping[str, str]] = {
        "detailed monitoring, EBS optimization, source/destination check": "the deployment works the same with and without them",
    }
    UNSEEN: ClassVar[Mapping[str, str]] = {
        "root_device_name": "it follows from the image, which is compared",
    }
    BESIDE: ClassVar[bool] = True
    KEPT_FOR_ROLLBACK: ClassVar[bool] = True
    # Until it is gone it reports into the bucket, reads secrets through its profile, and its network interface uses the group.
    DELETE_BEFORE: ClassVar[frozenset[str]] = frozenset(
        {S3Bucket.KIND, GeneratedSecret.KIND, InstanceProfile.KIND, SecurityGroup.KIND, Subnet.KIND}
    )
    TOKEN: ClassVar[bool] = True
    ID_FROM_AWS: ClassVar[bool] = True
    MOST_TAGS: ClassVar[int] = 50
    # EC2 calls a fresh instance profile invalid until IAM has spread it, and a fresh security group unknown until it has done so itself.
    # One that is stopping can't be started before it has stopped.
    PROPAGATES: ClassVar[frozenset[str]] = frozenset(
        {"InvalidParameterValue", "InvalidGroup.NotFound", "InvalidSecurityGroupID.NotFound", "IncorrectInstanceState"}
    )
    BLOCKERS: ClassVar[frozenset[tuple[str, str]]] = frozenset({("TerminateInstances", "OperationNotPermitted")})
    ELSEWHERE: ClassVar[frozenset[tuple[str, str]]] = NO_ROOM

    name: str
    image_id: str
    instance_type: str
    subnet_id: LaterText
    fallbacks: tuple[LaunchPlace, ...] = field(default=(), compare=False)
    """Where else it may be launched, in order. They are no setting of an instance that runs."""
    instead_of: str = ""
    """The type and subnet that were tried first, if EC2 had no capacity for them."""
    security_group_id: LaterText
    profile_arn: LaterText
    user_data: LaterText
    volume_gb: int
    key_name: str = ""
    status_uri: LaterText = ""
    operating_system: str = ""
    """Of which system `image_id` is the official image; empty for an image of the user's."""
    root_device_name: str = ""
    instance_state: str = "running"
    http_tokens: str = "required"
    http_endpoint: str = "enabled"
    hop_limit: int = 1
    metadata_tags: str = "disabled"
    volume_type: str = "gp3"
    termination_protection: bool = False
    stop_protection: bool = False
    keeps_volume: bool = False
    ipv6: bool = False
    """It has an IPv6 address that was asked for. One that a subnet gives by itself is no difference."""

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        pages = aws.client("ec2").get_paginator("describe_instances").paginate(Filters=of_deployment(deployment))
        instances = [instance for page in pages for reservation in page["Reservations"] for instance in reservation["Instances"]]
        alive = [instance for instance in instances if instance["State"]["Name"] != "terminated"]
        return tuple(Owned.tagged(instance["InstanceId"], tags_of(instance.get("Tags")), instance.get("LaunchTime")) for instance in alive)

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        # While it is shutting down it still uses its network interface and security group, so it still exists.
        instance = describe_instance(aws, id)
        if instance is None or instance["State"]["Name"] == "terminated":
            return None
        tags, metadata, volume = tags_of(instance.get("Tags")), instance.get("MetadataOptions", {}), read_root_volume(aws, instance)
        termination_protection, stop_protection = read_protections(aws, id)
        status_uri = tags.get(STATUS_TAG, "")
        report = ec2_boot.read_latest_status(aws, status_uri, id, first_launch(instance)) if status_uri else None
        seen = cls(
            name=name,
            image_id=instance["ImageId"],
            instance_type=instance["InstanceType"],
            subnet_id=instance.get("SubnetId", ""),
            security_group_id=",".join(group["GroupId"] for group in instance.get("SecurityGroups", [])),
            profile_arn=instance.get("IamInstanceProfile", {}).get("Arn", ""),
            user_data=read_user_data(aws, id),
            volume_gb=volume.get("Size", 0),
            volume_type=volume.get("VolumeType", ""),
            keeps_volume=keeps_root_volume(instance),
            http_tokens=metadata.get("HttpTokens", ""),
            http_endpoint=metadata.get("HttpEndpoint", ""),
            hop_limit=metadata.get("HttpPutResponseHopLimit", 0),
            metadata_tags=metadata.get("InstanceMetadataTags", "disabled"),
            termination_protection=termination_protection,
            stop_protection=stop_protection,
            key_name=instance.get("KeyName", ""),
            status_uri=status_uri,
            instead_of=tags.get(INSTEAD_TAG, ""),
            operating_system=tags.get(SYSTEM_TAG, ""),
            instance_state="running" if instance["State"]["Name"] == "pending" else instance["State"]["Name"],
            ipv6=IPV6_TAG in tags and bool(find_ipv6_address(instance)),
        )
        return Found(id, seen, _outputs(instance, report), tags, _why_broken(aws, instance, report, reports=bool(status_uri)))

    def create(self, aws: Aws, mark: Mark) -> str:
        # A volume under any other name than the image's own would be a second one.
        root_device_name = self.root_device_name or read_root_device_name(aws, self.image_id)
        made = aws.client("ec2").run_instances(**self._request(root_device_name), **self._mark_request(mark))
        return made["Instances"][0]["InstanceId"]

    def elsewhere(self) -> Mapping[str, Self]:
        return {str(place): self._move(place) for place in self.fallbacks}

    def prefer(self, outputs: Outputs) -> Self:
        # An instance that was launched elsewhere for another first choice is of another configuration.
        there = LaunchPlace(str(outputs.get("instance_type")), str(outputs.get("subnet_id")))
        first = str(LaunchPlace(self.instance_type, self.subnet_id))
        return self._move(there) if there in self.fallbacks and outputs.get("instead_of") == first else self

    def _move(self, place: LaunchPlace) -> Self:
        """Declare it in one of its fallbacks; the place that it leaves becomes one."""
        own = LaunchPlace(self.instance_type, self.subnet_id)
        first = self._first()
        others = tuple(other for other in (own, *self.fallbacks) if other != place)
        instead_of = "" if str(place) == first else first
        return replace(self, instance_type=place.instance_type, subnet_id=place.subnet_id, fallbacks=others, instead_of=instead_of)

    def configure(self, aws: Aws, id: str) -> None:
        instance = describe_instance(aws, id)
        if instance is None:
            return
        ec2 = aws.client("ec2")
        wanted, seen = self._metadata(), instance.get("MetadataOptions", {})
        if any(seen.get(option) != value for option, value in wanted.items()):
            ec2.modify_instance_metadata_options(InstanceId=id, **wanted)
        volume = read_root_volume(aws, instance)
        if volume and volume["VolumeType"] != self.volume_type:
            ec2.modify_volume(VolumeId=volume["VolumeId"], VolumeType=self._volume_type())
        # Another place may have been taken than the one that is declared first.
        instead_of = self.prefer(_outputs(instance, None)).instead_of
        if tags_of(instance.get("Tags")).get(INSTEAD_TAG, "") != instead_of:
            set_tag(aws, id, INSTEAD_TAG, instead_of)
        if instance["State"]["Name"] not in ("pending", "running"):
            ec2.start_instances(InstanceIds=[id])

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        # The tags of its volumes say whose they are if one outlives it.
        volumes = [mapping["Ebs"]["VolumeId"] for mapping in (describe_instance(aws, id) or {}).get("BlockDeviceMappings", [])]
        change_tags(aws, [id, *volumes], changes)

    def ready(self, aws: Aws, id: str) -> Ready | Waiting | Problem:
        instance = describe_instance(aws, id)
        state = instance["State"]["Name"] if instance else "pending"
        if instance is None or state == "pending":
            return Waiting("instance is pending")
        if state != "running":
            return _not_running(id, state, instance.get("StateReason", {}).get("Message", ""))
        if not self.status_uri:
            return Ready()
        return ec2_boot.judge_boot(id, ec2_boot.read_latest_status(aws, require_known(self.status_uri), id, first_launch(instance)))

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        instance = describe_instance(aws, id) or {}
        status_uri = tags_of(instance.get("Tags")).get(STATUS_TAG, "")
        if status_uri and not any(read_protections(aws, id)):
            # First: a run that is killed after the termination finds no instance any more, and nothing would delete its reports.
            ec2_boot.delete_reports(aws, ec2_boot.own_uri(status_uri, id))
        aws.client("ec2").terminate_instances(InstanceIds=[id])
        if status_uri and not serves(aws, status_uri):
            # The last instance deletes all reports: one that is shutting down may have reported after its own were deleted.
            ec2_boot.delete_reports(aws, status_uri)

    @classmethod
    def blockers(cls, aws: Aws, id: str, code: str) -> Waiting | Problem | None:
        return protected(id)

    @classmethod
    def witness(cls, aws: Aws, id: str) -> str:
        return ec2_boot.read_console(aws, id)

    def console(self) -> Steps:
        return (
            "EC2 > Instances > Launch instances",
            *(f"Add tag: {tag['Key']} = {tag['Value']}" for tag in self._tags()),
            f"Application and OS Images: {self.image_id}",
            f"Instance type: {self.instance_type}",
            *(f"If there is no capacity: {place} (also add tag: {INSTEAD_TAG} = {self._first()})" for place in self.fallbacks),
            f"Key pair: {self.key_name or 'Proceed without a key pair'}",
            f"Network settings > Edit > Subnet: {self.subnet_id}; Auto-assign public IP: Enable"
            + ("; Auto-assign IPv6 IP: Enable" if self.ipv6 else ""),
            f"Firewall: Select existing security group: {self.security_group_id}",
            f"Configure storage: root volume ({self.root_device_name or USUAL_ROOT}) {self.volume_gb} GiB {self.volume_type}, Encrypted",
            f"Advanced details > IAM instance profile: {self.profile_arn}",
            f"Advanced details > Metadata accessible: {self.http_endpoint}; Metadata version: V2 only (token {self.http_tokens}); "
            f"Metadata response hop limit: {self.hop_limit}; Allow tags in metadata: {self.metadata_tags}",
            "Advanced details > User data, paste:",
            str(self.user_data),
        )

    def template(self) -> CfnResource:
        return cfn(
            self.KIND,
            {"instance_id": "Ref", "private_ip": "PrivateIp"},
            ImageId=self.image_id,
            InstanceType=self.instance_type,
            NetworkInterfaces=(
                {
                    "DeviceIndex": "0",
                    "SubnetId": self.subnet_id,
                    "GroupSet": (self.security_group_id,),
                    "AssociatePublicIpAddress": True,
                    "DeleteOnTermination": True,
                    **({"Ipv6AddressCount": 1} if self.ipv6 else {}),
                },
            ),
            IamInstanceProfile=_profile_name(self.profile_arn),
            KeyName=self.key_name,
            UserData={"Fn::Base64": self.user_data},
            MetadataOptions=self._metadata(),
            BlockDeviceMappings=(self._root_volume(self.root_device_name or USUAL_ROOT),),
            Tags=self._tags(),
        )

    def _request(self, root_device_name: str) -> dict[str, Any]:
        key_pair = {"KeyName": self.key_name} if self.key_name else {}
        return key_pair | {
            "ImageId": self.image_id,
            "InstanceType": self.instance_type,
            "NetworkInterfaces": [self._network_interface()],
            "IamInstanceProfile": {"Arn": require_known(self.profile_arn)},
            "UserData": require_known(self.user_data),
            "MetadataOptions": self._metadata(),
            "BlockDeviceMappings": [self._root_volume(root_device_name)],
        }

    def _network_interface(self) -> Any:
        """Describe its interface. While it boots it downloads through an address of its own: the Elastic IP comes after that."""
        return {
            "DeviceIndex": 0,
            "SubnetId": require_known(self.subnet_id),
            "Groups": [require_known(self.security_group_id)],
            "AssociatePublicIpAddress": True,
            "DeleteOnTermination": True,
            **({"Ipv6AddressCount": 1} if self.ipv6 else {}),
        }

    def _mark_request(self, mark: Mark) -> dict[str, Any]:
        """Build what identifies this create call: its token, and the tags of the instance and of its volume."""
        instance, volume = tag_specification("instance", mark), tag_specification("volume", mark)
        instance[0]["Tags"] += ({**tag, "Value": require_known(tag["Value"])} for tag in self._tags())
        # EC2 refuses a token with other parameters than before, so that each place has its own.
        place = f"{self.instance_type}/{self.subnet_id}"
        token = f"{mark.token}-{sha256(place.encode()).hexdigest()[:8]}" if self.instead_of else mark.token
        return {"ClientToken": token, "MinCount": 1, "MaxCount": 1, "TagSpecifications": instance + volume}

    def _first(self) -> str:
        return self.instead_of or str(LaunchPlace(self.instance_type, self.subnet_id))

    def _tags(self) -> tuple[Any, ...]:
        """Return the tags from which it is read what EC2 itself does not keep."""
        ipv6 = "true" if self.ipv6 else ""
        tags = {STATUS_TAG: self.status_uri, SYSTEM_TAG: self.operating_system, INSTEAD_TAG: self.instead_of, IPV6_TAG: ipv6}
        return tuple({"Key": key, "Value": value} for key, value in tags.items() if value)

    def _metadata(self) -> Any:
        return {
            "HttpTokens": self.http_tokens,
            "HttpEndpoint": self.http_endpoint,
            "HttpPutResponseHopLimit": self.hop_limit,
            "InstanceMetadataTags": self.metadata_tags,
        }

    def _volume_type(self) -> Any:
        return self.volume_type

    def _root_volume(self, root_device_name: str) -> Any:
        ebs = {"VolumeSize": self.volume_gb, "VolumeType": self.volume_type, "Encrypted": True, "DeleteOnTermination": True}
        return {"DeviceName": root_device_name, "Ebs": ebs}

    FAILURES: ClassVar[Failures] = LAUNCH_FAILURES


def _outputs(instance: Any, report: ec2_boot.Status | None) -> dict[str, str]:
    outputs = {
        "instance_id": instance["InstanceId"],
        "private_ip": instance.get("PrivateIpAddress", ""),
        "public_ip": instance.get("PublicIpAddress", ""),
        "image_id": instance["ImageId"],
        "operating_system": tags_of(instance.get("Tags")).get(SYSTEM_TAG, ""),
        "instance_type": instance["InstanceType"],
        "subnet_id": instance.get("SubnetId", ""),
        "instead_of": tags_of(instance.get("Tags")).get(INSTEAD_TAG, ""),
    }
    url, ipv6 = ec2_boot.private_url(report), find_ipv6_address(instance)
    return outputs | ({"ipv6_address": ipv6} if ipv6 else {}) | ({"private_url": url} if url else {})


def _why_broken(aws: Aws, instance: Any, report: ec2_boot.Status | None, *, reports: bool) -> str:
    """Say why no configuration can make the instance work; empty if one can."""
    if instance["State"]["Name"] == "shutting-down":
        return "it is being terminated"
    age = clock.now() - first_launch(instance)
    return ec2_boot.failure_of(report, age, aws.progress.limits.ready) if reports else ""


def _profile_name(profile_arn: LaterText) -> LaterText:
    """Return the name of a profile, which CloudFormation takes where the API takes its ARN."""
    if isinstance(profile_arn, Ref):
        return Ref(profile_arn.of, "profile_name")
    return profile_arn.rpartition("/")[2] if isinstance(profile_arn, str) else profile_arn


def _not_running(instance_id: str, state: str, reason: str) -> Problem:
    return Problem(
        code="INSTANCE-NOT-RUNNING",
        what=f"{instance_id} is {state}.",
        why=reason or "It was stopped or terminated by hand, or it could not start.",
        do=(
            f"Start it (EC2 > Instances > {instance_id} > Instance state > Start), or terminate it to have a new one created.",
            "Run the same command again.",
        ),
    )

"""List what calls of EC2 and IAM must be allowed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from embedded_aws.authorization.call import Call
from embedded_aws.authorization.demand import ANY, Demand, demand_on, demand_role, demand_tagging
from embedded_aws.authorization.state import ResourceState

_EC2_KINDS = {
    "i": "instance",
    "vol": "volume",
    "sg": "security-group",
    "eipalloc": "elastic-ip",
    "eni": "network-interface",
    "subnet": "subnet",
    "vpc": "vpc",
    "igw": "internet-gateway",
    "rtb": "route-table",
    "vpce": "vpc-endpoint",
}
# What one EC2 operation creates; its tags are those of the request.
_EC2_CREATES = {
    "RunInstances": ("instance", "volume", "network-interface"),
    "AllocateAddress": ("elastic-ip",),
    "CreateSecurityGroup": ("security-group",),
    "CreateVpc": ("vpc",),
    "CreateSubnet": ("subnet",),
    "CreateInternetGateway": ("internet-gateway",),
    "CreateRouteTable": ("route-table",),
    "CreateVpcEndpoint": ("vpc-endpoint",),
}
# The calls whose permission can depend on the permissions boundary that the role has, or is given.
_BOUNDED = frozenset(
    {
        "CreateRole",
        "PutRolePermissionsBoundary",
        "DeleteRolePermissionsBoundary",
        "PutRolePolicy",
        "DeleteRolePolicy",
        "AttachRolePolicy",
        "DetachRolePolicy",
    }
)
_EC2_PASS_ROLE = ("RunInstances", "AssociateIamInstanceProfile", "ReplaceIamInstanceProfileAssociation")
_EC2_WITH_RESOURCE = ("DescribeInstanceAttribute",)


def list_ec2(call: Call, state: ResourceState) -> Iterator[Demand]:
    if call.operation.startswith("Describe") and call.operation not in _EC2_WITH_RESOURCE:
        yield from demand_on(call)
        return
    created = tuple(call.arn(f"{kind}/*") for kind in _EC2_CREATES.get(call.operation, ()))
    yield from demand_on(call, *created, *(_ec2_arn(call, id) for id in _ec2_ids(call, state)))
    if call.operation == "RunInstances":
        yield from demand_on(call, call.arn(f"image/{call.text('ImageId')}", account=""))
        if key := call.text("KeyName"):
            yield from demand_on(call, call.arn(f"key-pair/{key}"))
    if call.operation == "CreateVpcEndpoint" and call.parameters.get("PrivateDnsEnabled"):
        # Each service has a hosted zone of AWS's: the dependent action of CreateVpcEndpoint.
        yield Demand("route53:AssociateVPCWithHostedZone", "arn:aws:route53:::hostedzone/Z0000000000AWSONLY")
    if call.operation in _EC2_PASS_ROLE:
        profile = call.parameters.get("IamInstanceProfile") or {}
        if role := state.role_of_profile(profile.get("Arn", "") or profile.get("Name", "")):
            yield demand_role(role, "ec2.amazonaws.com")
    for specification in call.parameters.get("TagSpecifications") or ():
        resource = call.arn(f"{specification['ResourceType']}/*")
        yield Demand("ec2:CreateTags", resource, {"ec2:CreateAction": call.operation})


def _ec2_ids(call: Call, state: ResourceState) -> Iterator[str]:
    interfaces: Iterable[Mapping[str, Any]] = call.parameters.get("NetworkInterfaces") or ()
    for each in interfaces:
        yield from filter(None, (each.get("SubnetId"), *(each.get("Groups") or ())))
    lists = ("SecurityGroupIds", "SubnetIds", "RouteTableIds")
    changed = (f"{change}{each}" for each in lists for change in ("Add", "Remove"))
    for name in ("InstanceIds", "Resources", "VpcEndpointIds", *lists, *changed):
        yield from call.texts(name)
    for name in (
        "InstanceId",
        "VolumeId",
        "GroupId",
        "AllocationId",
        "SubnetId",
        "VpcId",
        "InternetGatewayId",
        "RouteTableId",
        "VpcEndpointId",
    ):
        if value := call.text(name):
            yield value
    if association := call.text("AssociationId"):
        yield state.associated(association) or association


def _ec2_arn(call: Call, id: str) -> str:
    return call.arn(f"{_EC2_KINDS.get(id.partition('-')[0], ANY)}/{id}")


def list_iam(call: Call, state: ResourceState) -> Iterator[Demand]:
    role, profile = call.text("RoleName"), call.text("InstanceProfileName")
    path = call.text("Path") or "/"
    arn = call.text("PolicyArn")
    keys = {"iam:PolicyARN": arn} if arn and call.operation.startswith(("Attach", "Detach")) else {}
    if call.operation in _BOUNDED and (boundary := call.text("PermissionsBoundary") or state.role_boundary(role)):
        keys["iam:PermissionsBoundary"] = boundary
    if profile:
        resource = state.profile_arn(profile) or call.arn(f"instance-profile{path}{profile}", region="")
    elif role:
        resource = state.role_arn(role) or call.arn(f"role{path}{role}", region="")
    else:
        resource = arn or call.text("PolicySourceArn") or ANY
    yield Demand(f"iam:{call.operation}", resource, keys)
    if call.operation == "CreateRole":
        yield from demand_tagging(call, "TagRole", resource)
    if call.operation == "CreateInstanceProfile":
        yield from demand_tagging(call, "TagInstanceProfile", resource)
    if call.operation == "AddRoleToInstanceProfile":
        yield demand_role(state.role_arn(role) or role, "ec2.amazonaws.com")

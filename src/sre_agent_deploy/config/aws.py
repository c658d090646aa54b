"""Settings of the AWS account: its ID, the region, and existing resources to use."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Literal

from sre_agent_deploy.config import Fault, FieldPath, Mode, format_path, required, unavailable
from sre_agent_deploy.config.field_syntax import ACCOUNT_ID, AVAILABILITY_ZONE, BOUNDARY, ROLE, SECURITY_GROUP_ID, SUBNET_ID, VPC_ID
from sre_agent_deploy.config.section import Section, setting
from sre_core.nearest import find_nearest
from sre_core.regions import is_plausible_region, known_regions, partition_of

WIDEST_NETWORK, NARROWEST_NETWORK = 16, 24
_AMAZON = "aws"  # in place of the account, in the ARNs of policies that every account has


class AWSConfig(Section):
    """The AWS account and region of the deployment."""

    account_id: str = setting(
        "", "The 12-digit ID of the AWS account.", example="123456789012", console="Account menu (top right) > Account ID"
    )
    region: str = setting("us-east-1", "The AWS Region for every resource.", example="us-east-1", console="Region menu (top right)")
    role_name: str = setting(
        "",
        "Name or ARN of an existing IAM role for the gateway; empty creates one.",
        example="arn:aws:iam::123456789012:role/sre-gateway",
        console="IAM > Roles",
    )
    permissions_boundary: str = setting(
        "",
        "ARN of a managed policy that limits every role of the deployment; empty sets none.",
        example="arn:aws:iam::123456789012:policy/workload-boundary",
        console="IAM > Policies",
    )
    endpoint_url: str = setting("", "An AWS endpoint other than AWS's own; empty for AWS.", example="https://127.0.0.1:4566")
    vpc_id: str = setting("", "An existing VPC; empty uses the default VPC.", example="vpc-0a1b2c3d4e5f60718", console="VPC > Your VPCs")
    subnet_id: str = setting(
        "",
        "A public subnet of that VPC; empty uses one of its default subnets.",
        example="subnet-0a1b2c3d4e5f60718",
        console="VPC > Subnets",
    )

    security_group_id: str = setting(
        "",
        "An existing security group of that VPC, which lets in 443 and nothing else but 80 from everywhere; empty creates one.",
        example="sg-0a1b2c3d4e5f60718",
        console="EC2 > Security Groups",
    )
    network: Literal["existing", "create"] = setting(
        "existing", "existing: the VPC and subnet above. create: a VPC with public subnets of its own.", example="create"
    )
    network_cidr: str = setting("10.20.0.0/16", "Of create: the private IPv4 addresses of the VPC.", example="10.20.0.0/16")
    availability_zone: str = setting(
        "", "Of create: the Availability Zone of the machine; empty takes the region's first.", example="us-east-1a"
    )
    ipv6: bool = setting(
        False,
        "The assistant is reached over IPv6, too, by an AAAA record in deployment.hosted_zone_id. Of create: the VPC gets IPv6 addresses "
        "of Amazon's; a subnet of your own must have some. Free of charge.",
        example="true",
    )
    endpoints: Literal["none", "s3", "all"] = setting(
        "none",
        "Of create: VPC endpoints for what the machine calls of AWS. s3: for S3, free of charge. "
        "all: also for Secrets Manager, Systems Manager, CloudWatch, Bedrock and DynamoDB; all but DynamoDB's cost by the hour.",
        example="s3",
    )

    @property
    def creates_network(self) -> bool:
        """Return True if the deployment has a VPC of its own."""
        return self.network == "create"

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Yield a fault for each account ID, region or resource ID that AWS would refuse, or that disagrees with another."""
        yield from ACCOUNT_ID.faults("account_id", self.account_id)
        yield from ROLE.faults("role_name", self.role_name)
        yield from BOUNDARY.faults("permissions_boundary", self.permissions_boundary)
        yield from VPC_ID.faults("vpc_id", self.vpc_id)
        yield from SUBNET_ID.faults("subnet_id", self.subnet_id)
        yield from region_faults(self.region)
        yield from endpoint_faults(self.endpoint_url)
        yield from arn_faults(("role_name",), self.role_name, account_id=self.account_id, region=self.region)
        yield from arn_faults(("permissions_boundary",), self.permissions_boundary, account_id=self.account_id, region=self.region)
        if mode == "production" and not self.account_id:
            yield required("account_id", ACCOUNT_ID.example, "The deployer changes nothing in any account but the one named here.")
        yield from SECURITY_GROUP_ID.faults("security_group_id", self.security_group_id)
        yield from AVAILABILITY_ZONE.faults("availability_zone", self.availability_zone)
        yield from network_faults(self)
        if self.ipv6 and mode == "local":
            yield unavailable("ipv6", "The local AWS gives its machines loopback addresses of IPv4 alone.", "false")
        if self.vpc_id and not self.subnet_id and not self.creates_network:
            yield required("subnet_id", SUBNET_ID.example, "A VPC of your own has no default subnets to choose from.")
        if self.subnet_id and not self.vpc_id and not self.creates_network:
            yield required("vpc_id", VPC_ID.example, "A subnet can only be used together with its VPC.")


def network_faults(aws: AWSConfig) -> Iterator[Fault]:
    """Yield a fault for addresses that a VPC can't have, and for parts of another VPC than the one that is created."""
    if not aws.creates_network:
        fields = ("network_cidr", "availability_zone", "endpoints")
        yield from (_no_effect(field) for field in fields if getattr(aws, field) != AWSConfig.model_fields[field].default)
        return
    for field in ("vpc_id", "subnet_id", "security_group_id"):
        if getattr(aws, field):
            yield Fault(
                code="CONFIG-MISMATCH",
                path=(field,),
                what=f"{field} names something of another VPC than the one that is created.",
                why="network: create makes a VPC, its subnets and its security group.",
                do=(f"Leave {field} empty, or remove network: create.",),
                correction='""',
            )
    if not _is_network(aws.network_cidr):
        yield Fault(
            code="CONFIG-CIDR",
            path=("network_cidr",),
            what="network_cidr is not a range of addresses for the VPC.",
            why="It must be private IPv4 addresses, a slash and 16 to 24 fixed bits; the other bits are zero.",
            do=("Write it like this: 10.20.0.0/16",),
            correction="10.20.0.0/16",
            aws_docs="https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html",
        )


def _is_network(text: str) -> bool:
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError:
        return False
    return network.is_private and WIDEST_NETWORK <= network.prefixlen <= NARROWEST_NETWORK and str(network) == text


def _no_effect(field: str) -> Fault:
    return Fault(
        code="CONFIG-NO-EFFECT",
        path=(field,),
        what=f"{field} has no effect.",
        why="It is a setting of network: create; without it the VPC and its subnets are there already.",
        do=(f"Remove {field}, or set network: create.",),
        warning=True,
    )


def region_faults(region: str) -> Iterator[Fault]:
    """Yield an error for a region that can only be a typing mistake, and a warning for one that AWS may have opened since."""
    if region in known_regions():
        return
    nearest = find_nearest(region, known_regions()) or "us-east-1"
    possible = is_plausible_region(region)
    yield Fault(
        code="CONFIG-REGION",
        path=("region",),
        what="region is not an AWS Region that this version knows.",
        why="AWS may have opened it after this version was released."
        if possible
        else "No AWS Region has a name like this. An Availability Zone (us-east-1a) is not a region.",
        do=("Check that it exists: aws account list-regions --query 'Regions[].RegionName'",)
        if possible
        else (f"Did you mean {nearest}?",),
        correction=None if possible else nearest,
        warning=possible,
        aws_docs="https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html",
    )


def endpoint_faults(url: str) -> Iterator[Fault]:
    """Yield a fault for an endpoint that is not an HTTPS URL of a host: credentials and tokens are sent there."""
    if not url or re.fullmatch(r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?/?|https://\[[0-9a-fA-F:]+\](:[0-9]{1,5})?/?", url):
        return
    yield Fault(
        code="CONFIG-ENDPOINT",
        path=("endpoint_url",),
        what="endpoint_url can't be used.",
        why="It must be https:// with a host and optionally a port: signatures and secrets are sent there.",
        do=("Leave it empty for AWS itself, or write it like this: https://127.0.0.1:4566",),
        correction="https://127.0.0.1:4566",
    )


def arn_faults(path: FieldPath, arn: str, *, account_id: str, region: str) -> Iterator[Fault]:
    """Yield a fault for an ARN of another account, region or partition than the deployment's."""
    parts = arn.split(":", 5)
    if len(parts) < 6 or parts[0] != "arn":
        return
    _, partition, _, arn_region, arn_account, resource = parts
    owner = arn_account if arn_account == _AMAZON else account_id
    wanted = partition_of(region) if region in known_regions() else partition
    theirs = {"partition": (partition, wanted), "region": (arn_region, region), "account": (arn_account, owner)}
    differing = [name for name, (has, should) in theirs.items() if has and should and has != should]
    if differing:
        corrected = ":".join(("arn", wanted, parts[2], arn_region and region, owner or arn_account, resource))
        yield Fault(
            code="CONFIG-MISMATCH",
            path=path,
            what=f"{format_path(path)} is in another {' and '.join(differing)} than aws.account_id and aws.region.",
            why="Everything of one deployment is in one account and one region.",
            do=(
                "Correct the one that is wrong, then check: sre-agent-deploy validate",
                "The parts of an ARN are arn:partition:service:region:account:resource.",
            ),
            correction=corrected,
            aws_docs="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html",
        )

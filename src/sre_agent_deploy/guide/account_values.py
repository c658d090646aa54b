"""Values that only the account knows: as a guide shows them, and as parameters of a template (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sre_agent_deploy.account.facts import DEPLOYMENT_ID_PATTERN
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.config.regions import partition_of
from sre_agent_deploy.resources.ec2_describe import IMAGE_PARAMETERS


@dataclass(frozen=True)
class AccountValue:
    """One value: `shown` to a person; in a template CloudFormation's own `pseudo` parameter, or a `parameter` of the template."""

    shown: str
    pseudo: str = ""
    parameter: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


type AccountValues = Mapping[str, AccountValue]


def account_values(config: Config) -> AccountValues:
    """Return all of them, by the outputs of `Ref(ACCOUNT, output)`."""
    image = IMAGE_PARAMETERS[config.deployment.operating_system]
    return {
        "partition": AccountValue(partition_of(config.aws.region), pseudo="AWS::Partition"),
        "account_id": AccountValue("<your account id>", pseudo="AWS::AccountId"),
        "deployment_id": AccountValue(
            "<your deployment's id>",
            parameter={
                "Type": "String",
                "AllowedPattern": DEPLOYMENT_ID_PATTERN,
                "Description": "The deployment id that `sre-agent-deploy plan` shows for this configuration in your account",
            },
        ),
        "vpc_id": AccountValue("<your VPC's id>", parameter={"Type": "AWS::EC2::VPC::Id", "Description": "The VPC of the instance"}),
        "vpc_cidr": AccountValue(
            "<your VPC's IPv4 CIDR>", parameter={"Type": "String", "Description": "The IPv4 CIDR of that VPC, such as 172.31.0.0/16"}
        ),
        "subnet_id": AccountValue(
            "<the id of a public subnet of your VPC>",
            parameter={"Type": "AWS::EC2::Subnet::Id", "Description": "A public subnet of that VPC"},
        ),
        "availability_zone": AccountValue(
            f"<the first Availability Zone of {config.aws.region}>",
            parameter={"Type": "AWS::EC2::AvailabilityZone::Name", "Description": "The Availability Zone of the machine"},
        ),
        "image_id": AccountValue(
            f"<the AMI id that Systems Manager > Parameter Store > Public parameters shows as {image}>",
            parameter={
                "Type": "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>",
                "Default": image,
                "Description": "The newest official image of the operating system",
            },
        ),
    }

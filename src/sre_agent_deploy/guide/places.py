"""Facts of a guide beside the resources: where the AWS Console makes each type, and the values that only the account knows (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sre_agent_deploy.account import DEPLOYMENT_ID_PATTERN
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.resources.ec2_calls import IMAGE_PARAMETERS
from sre_core.regions import partition_of

_DOMAINS = {"aws": "console.aws.amazon.com", "aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}


@dataclass(frozen=True)
class Place:
    """The page of the Console on which a type is made, without its domain; and what a person sees when it is right."""

    page: str
    right: str
    everywhere: bool = False
    """True for a page that is the same in each region."""


_LISTED = "It is in its service's list, with the name of this step."
_AGENTCORE = "bedrock-agentcore/home?region={region}#"
PLACES: Mapping[str, Place] = {
    "AWS::S3::Bucket": Place(
        "s3/bucket/create?region={region}", "The bucket is in the list, and its Permissions say: Bucket and objects not public."
    ),
    "AWS::S3::Object": Place("s3/buckets?region={region}", "The object is in the bucket under exactly this key, with its size and type."),
    "AWS::SecretsManager::Secret": Place(
        "secretsmanager/newsecret?region={region}", "The secret is in the list; its page shows the keys of this step, and no rotation."
    ),
    "AWS::Cognito::UserPool": Place(
        "cognito/v2/idp/user-pools?region={region}", "The user pool is in the list, and its overview shows its id."
    ),
    "AWS::Cognito::UserPoolDomain": Place("cognito/v2/idp/user-pools?region={region}", "Domain shows the prefix, with status Active."),
    "AWS::Cognito::UserPoolResourceServer": Place(
        "cognito/v2/idp/user-pools?region={region}", "Resource servers lists the identifier with its scopes."
    ),
    "AWS::Cognito::UserPoolClient": Place(
        "cognito/v2/idp/user-pools?region={region}", "App clients lists it, with a client secret and the grant client_credentials."
    ),
    "AWS::BedrockAgentCore::ApiKeyCredentialProvider": Place(
        _AGENTCORE + "/identity", "Outbound Auth lists the provider as an API key, with its ARN."
    ),
    "AWS::BedrockAgentCore::Gateway": Place(
        _AGENTCORE + "/gateways", "The gateway has status Ready, and shows its URL, which ends in /mcp."
    ),
    "AWS::BedrockAgentCore::GatewayTarget": Place(_AGENTCORE + "/gateways", "The target is in the gateway's list, with status Ready."),
    "AWS::BedrockAgentCore::Runtime": Place(
        _AGENTCORE + "/agents/create", "The runtime has status Ready, and its latest version shows these values."
    ),
    "AWS::BedrockAgentCore::RuntimeEndpoint": Place(
        _AGENTCORE + "/agents", "The runtime's Endpoints show it with status Ready, on exactly this version."
    ),
    "AWS::IAM::Role": Place(
        "iam/home#/roles/create", "The role's Trust relationships and Permissions show what was pasted.", everywhere=True
    ),
    "AWS::IAM::InstanceProfile": Place(
        "cloudshell/home?region={region}", "Both commands ended without an error; the role's page shows the profile."
    ),
    "AWS::DynamoDB::Table": Place(
        "dynamodbv2/home?region={region}#create-table", "The table is Active, and its Additional settings show TTL: On, with the attribute."
    ),
    "AWS::EKS::AccessEntry": Place(
        "eks/clusters?region={region}", "The cluster's Access tab lists the role, with the group of this step and no access policy."
    ),
    "AWS::EC2::EIP": Place("ec2/home?region={region}#AllocateAddress:", "The list shows the address with its allocation ID."),
    "AWS::EC2::EIPAssociation": Place("ec2/home?region={region}#Addresses:", "The address shows the instance as associated."),
    "AWS::EC2::SecurityGroup": Place(
        "ec2/home?region={region}#CreateSecurityGroup:", "The group shows exactly these inbound and outbound rules."
    ),
    "AWS::EC2::VPC": Place("vpcconsole/home?region={region}#CreateVpc:", "The VPC is Available, and shows DNS hostnames: Enabled."),
    "AWS::EC2::InternetGateway": Place(
        "vpcconsole/home?region={region}#CreateInternetGateway:", "The internet gateway is Attached, and shows the VPC."
    ),
    "AWS::EC2::RouteTable": Place(
        "vpcconsole/home?region={region}#CreateRouteTable:",
        "Routes shows 0.0.0.0/0 with a target that begins with igw-, Active.",
    ),
    "AWS::EC2::Subnet": Place(
        "vpcconsole/home?region={region}#CreateSubnet:", "The subnet is Available, and its route table is the one of the step before."
    ),
    "AWS::EC2::VPCEndpoint": Place(
        "vpcconsole/home?region={region}#CreateVpcEndpoint:", "The endpoint is Available, and its Policy shows what was pasted."
    ),
    "AWS::EC2::Instance": Place(
        "ec2/home?region={region}#LaunchInstances:", "The instance is Running, and both status checks have passed."
    ),
    "AWS::Route53::RecordSet": Place(
        "route53/v2/hostedzones", "The zone lists both records; `dig +short NAME` answers the address.", everywhere=True
    ),
    "AWS::Route53::HealthCheck": Place(
        "route53/healthchecks/home#/create-health-check", "The list shows the health check as Healthy after some minutes.", everywhere=True
    ),
    "AWS::SNS::Topic": Place(
        "sns/v3/home?region={region}#/create-topic", "The topic is in the list, and each of its subscriptions is Confirmed."
    ),
    "AWS::Logs::LogGroup": Place(
        "cloudwatch/home?region={region}#logsV2:log-groups/create-log-group", "The log group is in the list, with this retention."
    ),
    **dict.fromkeys(
        ("AWS::Logs::DeliverySource", "AWS::Logs::DeliveryDestination", "AWS::Logs::Delivery"),
        Place("cloudshell/home?region={region}", "The command ended without an error; the gateway's page lists it under Log delivery."),
    ),
    "AWS::Logs::MetricFilter": Place(
        "cloudwatch/home?region={region}#logsV2:log-groups", "The log group's Metric filters show it with this pattern and metric."
    ),
    "AWS::CloudTrail::Trail": Place(
        "cloudshell/home?region={region}", "The commands ended without an error; CloudTrail > Trails lists it with status Logging."
    ),
    "AWS::CloudWatch::Alarm": Place(
        "cloudwatch/home?region={region}#alarmsV2:create",
        "The alarm is in the list, with Actions enabled; its state is OK after some minutes.",
    ),
    "AWS::CloudWatch::Dashboard": Place(
        "cloudwatch/home?region={region}#dashboards:", "The dashboard is in the list, and each of its widgets shows a graph."
    ),
    "AWS::Budgets::Budget": Place("billing/home#/budgets/create", "The budget is in the list, with its alerts.", everywhere=True),
}


def deep_link(page: str, region: str, *, everywhere: bool = False) -> str:
    """Build the address of a Console page in a region and its partition."""
    domain = _DOMAINS[partition_of(region)]
    host = domain if everywhere or partition_of(region) != "aws" else f"{region}.{domain}"
    return f"https://{host}/{page.replace('{region}', region)}"


def find_place(kind: str, region: str) -> tuple[str, str]:
    """Return the deep link for a type, and what it looks like when it is right."""
    place = PLACES.get(kind) or Place(f"{kind.split('::')[1].lower()}/home?region={{region}}", _LISTED)
    return deep_link(place.page, region, everywhere=place.everywhere), place.right


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

"""Every resource type, in the order of creation; cleanup goes through it backwards."""

from __future__ import annotations

from sre_agent_deploy.resource import Resource
from sre_agent_deploy.resources.agentcore_gateway import Gateway
from sre_agent_deploy.resources.agentcore_gateway_target import GatewayTarget
from sre_agent_deploy.resources.api_key_credential_provider import ApiKeyCredentialProvider
from sre_agent_deploy.resources.budgets_budget import Budget
from sre_agent_deploy.resources.cognito_app_client import AppClient
from sre_agent_deploy.resources.cognito_domain import UserPoolDomain
from sre_agent_deploy.resources.cognito_resource_server import ResourceServer
from sre_agent_deploy.resources.cognito_user_pool import UserPool
from sre_agent_deploy.resources.ec2_address_association import AddressAssociation
from sre_agent_deploy.resources.ec2_elastic_ip import ElasticIp
from sre_agent_deploy.resources.ec2_instance import Ec2Instance
from sre_agent_deploy.resources.ec2_security_group import SecurityGroup
from sre_agent_deploy.resources.iam_instance_profile import InstanceProfile
from sre_agent_deploy.resources.iam_role import IamRole
from sre_agent_deploy.resources.route53_record import DnsRecord
from sre_agent_deploy.resources.s3_bucket import S3Bucket
from sre_agent_deploy.resources.s3_object import S3Object
from sre_agent_deploy.resources.secretsmanager_secret import GeneratedSecret
from sre_core.problem import Problem, Refused

# One class for each AWS type: secrets of every sort are listed and deleted by the first that makes them.
ORDER: tuple[type[Resource], ...] = (
    S3Bucket,
    GeneratedSecret,
    UserPool,
    UserPoolDomain,
    ResourceServer,
    AppClient,
    IamRole,
    ApiKeyCredentialProvider,
    Gateway,
    S3Object,
    GatewayTarget,
    InstanceProfile,
    SecurityGroup,
    Ec2Instance,
    ElasticIp,
    AddressAssociation,
    DnsRecord,
    Budget,
)


def by_kind(kind: str) -> type[Resource]:
    """The class for a journal record's kind. Raises Refused on one that this version does not know."""
    known = next((type_ for type_ in ORDER if kind == type_.KIND), None)
    if known is None:
        raise Refused(_unknown(kind))
    return known


def knows(kind: str) -> bool:
    """Whether this version knows a journal record's kind."""
    return any(kind == type_.KIND for type_ in ORDER)


def _unknown(kind: str) -> Problem:
    return Problem(
        code="STATE-UNKNOWN-KIND",
        what=f"The state file tells of a {kind or 'resource without a kind'}, which this version does not know.",
        why="A newer version of sre-agent-deploy wrote it, or it was edited.",
        do=("Use that newer version, or put back a good copy of the state file.", "Nothing was changed."),
    )

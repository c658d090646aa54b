"""The exact permissions of the identity that deploys, verifies and cleans up one deployment (pure).

The actions are those of the blueprint's resources, derived from their calls (`actions.json`, by `make generate`).
`deployer_scopes.py` narrows each to the deployment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from typing import Any

from sre_agent_deploy.checks.preflight.encryption_key import list_keys
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.config.operations import XRAY
from sre_agent_deploy.deployer_scopes import ANY, ActionScopes, Place, Scope, is_read
from sre_agent_deploy.graph import Blueprint
from sre_agent_deploy.names import has_custom_domain
from sre_agent_deploy.policies import bucket_key_statements, model_statements
from sre_agent_deploy.resources.ec2_vpc_endpoint import VpcEndpoint
from sre_agent_deploy.resources.policy_document import Conditions, Statement, permissions_policy, render_json
from sre_core.regions import partition_of

LONGEST_POLICY = 6144
"""Characters of one managed policy, without white space: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
_ANY_BECAUSE = "AWS authorizes it for all resources only, or the listing finds what belongs to the deployment"
# Calls of preflight: who calls, where the machine can run and from which image, what the account has, and which models answer.
_ALWAYS = (
    "sts:GetCallerIdentity",
    "ec2:DescribeVpcs",
    "ec2:DescribeSubnets",
    "ec2:DescribeRouteTables",
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeKeyPairs",
    "ec2:DescribeAccountAttributes",
    "ec2:DescribeInstanceTypeOfferings",
    "ssm:GetParameter",
    "tag:GetResources",
    "bedrock:GetFoundationModelAvailability",
    "bedrock:GetUseCaseForModelAccess",
    "route53:GetHostedZone",
)
_NETWORK_SERVICE = "network.bedrock-agentcore.amazonaws.com"


def list_statements(config: Config, plan: Blueprint, account_id: str) -> tuple[Statement, ...]:
    """List the statements for this configuration, whose blueprint is `plan`."""
    scopes = ActionScopes(config, plan, Place(partition_of(config.aws.region), config.aws.region, account_id))
    grouped: dict[str, tuple[Scope, list[str]]] = {}
    for action in _list_actions(plan):
        for scope in scopes.of(action):
            grouped.setdefault(repr(scope), (scope, []))[1].append(action)
    ours = tuple(_statement(number, scope, actions) for number, (scope, actions) in enumerate(grouped.values()))
    # Preflight asks each model for one token.
    models = model_statements(scopes.place.partition, scopes.place.region, account_id, config.assistant.models)
    return (
        *ours,
        *(replace(statement, actions=("bedrock:InvokeModel",)) for statement in models),
        *bucket_key_statements(config.aws.region, config.gateway.kms_key_arn, "kms:GenerateDataKey"),
        *_custom_domain_statements(config),
        *_private_name_statements(plan, scopes.place),
        *_named_statements(config, scopes.place),
        *_network_statements(config, scopes.place),
        *_trail_statements(config),
        *_trace_statements(config),
    )


def _trail_statements(config: Config) -> tuple[Statement, ...]:
    """Let preflight and readiness find the trail of a log group, and look at one of the user's, of which only the log group is named."""
    if not config.monitoring.cloudtrail:
        return ()
    reads = ("DescribeTrails", *(("GetEventSelectors", "GetTrailStatus") if config.monitoring.names_trail else ()))
    because = "DescribeTrails has no resource, and of a trail of the user's only the log group is named"
    return (Statement("ReadTrails", tuple(f"cloudtrail:{each}" for each in reads), (ANY,), any_resource_because=because),)


def _trace_statements(config: Config) -> tuple[Statement, ...]:
    """Let a verification look whether its own question has arrived in X-Ray."""
    if config.monitoring.traces != XRAY:
        return ()
    because = "these actions of X-Ray have no resources"
    return (Statement("ReadTraces", ("xray:BatchGetTraces", "xray:GetTraceSegmentDestination"), (ANY,), any_resource_because=because),)


def _network_statements(config: Config, place: Place) -> tuple[Statement, ...]:
    """Let AgentCore create its role for network interfaces, with the account's first runtime that is in a VPC.

    Source: https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/agentcore-vpc.html
    """
    if not config.assistant.subnet_ids:
        return ()
    role = place.arn("iam", f"role/aws-service-role/{_NETWORK_SERVICE}/AWSServiceRoleForBedrockAgentCoreNetwork", region="")
    only: Conditions = {"StringEquals": {"iam:AWSServiceName": _NETWORK_SERVICE}}
    return (Statement("CreateNetworkRole", ("iam:CreateServiceLinkedRole",), (role,), only),)


def _named_statements(config: Config, place: Place) -> tuple[Statement, ...]:
    """Let preflight look at the keys that the user named, and ask what a role that the user named may do."""
    keys = tuple(dict.fromkeys(list_keys(config).values()))
    name = config.aws.role_name.rpartition("/")[2]
    roles = tuple(place.arn("iam", f"role/{path}{name}", region="") for path in ("", "*/") if name)
    boundary = config.aws.permissions_boundary
    found = (
        ("ReadBoundary", ("iam:GetPolicy", "iam:GetPolicyVersion"), (boundary,) if boundary else ()),
        ("ReadNamedKeys", ("kms:DescribeKey", "kms:GetKeyPolicy"), keys),
        ("AskOfNamedRole", ("iam:SimulatePrincipalPolicy",), roles),
    )
    return tuple(Statement(sid, actions, resources) for sid, actions, resources in found if resources)


def _custom_domain_statements(config: Config) -> tuple[Statement, ...]:
    """Let Cognito make the distribution of a custom domain, and preflight read its certificate.

    Source: https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-add-custom-domain.html
    """
    if not has_custom_domain(config):
        return ()
    because = "the distribution lies in an account of AWS, and its name is not known before"
    return (
        Statement("ServeCustomDomain", ("cloudfront:UpdateDistribution",), (ANY,), any_resource_because=because),
        Statement("ReadLoginCertificate", ("acm:DescribeCertificate",), (config.credentials.custom_domain_certificate,)),
    )


def _private_name_statements(plan: Blueprint, place: Place) -> tuple[Statement, ...]:
    """Let EC2 give an interface endpoint the service's usual name, in a hosted zone of AWS's.

    Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html (CreateVpcEndpoint, dependent actions)
    """
    if not any(isinstance(item.resource, VpcEndpoint) and item.resource.private_dns for item in plan):
        return ()
    zones = f"arn:{place.partition}:route53:::hostedzone/*"
    return (Statement("NameEndpoints", ("route53:AssociateVPCWithHostedZone",), (zones,)),)


def split_policies(statements: Sequence[Statement]) -> tuple[dict[str, Any], ...]:
    """Distribute the statements over as few policies as AWS's limit allows, in their order."""
    parts: list[tuple[Statement, ...]] = [()]
    for statement in statements:
        longer = (*parts[-1], statement)
        if parts[-1] and _length(longer) > LONGEST_POLICY:
            parts.append((statement,))
        else:
            parts[-1] = longer
    return tuple(permissions_policy(part) for part in parts)


def _length(statements: tuple[Statement, ...]) -> int:
    return len(re.sub(r"\s", "", render_json(permissions_policy(statements))))


def _statement(number: int, scope: Scope, actions: Sequence[str]) -> Statement:
    because = _ANY_BECAUSE if ANY in scope.resources else ""
    return Statement(f"{scope.name}{number}", tuple(sorted(actions)), scope.resources, scope.conditions, any_resource_because=because)


def _list_actions(plan: Blueprint) -> Iterator[str]:
    """List the actions of the blueprint's types, and of all others what only reads: `cleanup` looks for leftovers of each."""
    by_kind: Mapping[str, Sequence[str]] = json.loads((files("sre_agent_deploy") / "actions.json").read_text(encoding="utf-8"))
    used = {item.resource.KIND for item in plan}
    listed = {action for kind, actions in by_kind.items() for action in actions if kind in used or is_read(action)}
    yield from sorted({*_ALWAYS, *listed})


def name_policies(id: str, count: int) -> Iterable[str]:
    """Name the policies: `sre-…-deployer-1` and so on; one alone has no number."""
    return (f"{id}-deployer-{number + 1}" for number in range(count)) if count > 1 else (f"{id}-deployer",)

"""The deployer's policy, as a document: complete, narrow, and short enough for AWS. `tests/behaviours` deploys under it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from sre_agent_deploy.account.account import describe_account
from sre_agent_deploy.blueprint import blueprint
from sre_agent_deploy.config.load import load
from sre_agent_deploy.config.models import Config, ServicesConfig
from sre_agent_deploy.config.sources import ClusterSource
from sre_agent_deploy.deployer_policy import LONGEST_POLICY, list_statements, name_policies, split_policies
from sre_agent_deploy.graph import Blueprint

EXAMPLE = Path(__file__).parents[2] / "examples" / "production.yaml"
ACCOUNT, ID = "123456789012", "sre-fd3ac13b93"
IMAGE = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/sre-agent:1.0"
# AWS authorizes these for all resources only, or they list; written by hand from the service authorization reference.
FOR_ALL = {
    "bedrock-agentcore:ListAgentRuntimeEndpoints",
    "bedrock-agentcore:ListAgentRuntimes",
    "bedrock-agentcore:ListGateways",
    "bedrock:GetFoundationModelAvailability",
    "bedrock:GetUseCaseForModelAccess",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:ListDashboards",
    "cognito-idp:DescribeUserPoolDomain",
    "cognito-idp:ListUserPools",
    "eks:ListClusters",
    "iam:ListInstanceProfiles",
    "iam:ListRoles",
    "logs:DescribeDeliveries",
    "logs:DescribeDeliveryDestinations",
    "logs:DescribeDeliverySources",
    "dynamodb:ListTables",
    "cloudtrail:ListTrails",
    "logs:DescribeLogGroups",
    "logs:DescribeMetricFilters",
    "logs:DescribeResourcePolicies",
    "route53:CreateHealthCheck",
    "route53:ListHealthChecks",
    "route53:ListHostedZones",
    "s3:ListAllMyBuckets",
    "secretsmanager:ListSecrets",
    "sns:ListTopics",
    "sns:Unsubscribe",
    "sts:GetCallerIdentity",
    "tag:GetResources",
}
# Route 53 chooses the ids of health checks, and its policies know no tags.
OF_ANY_CHECK = ["route53:ChangeTagsForResource", "route53:DeleteHealthCheck", "route53:UpdateHealthCheck"]
# AWS's own policy for log deliveries allows no less: CloudWatch Logs writes the account's policy by which it may write into the group.
LET_DELIVER = ["logs:PutResourcePolicy"]
CREATED_WITH_TAG = {"bedrock-agentcore:CreateAgentRuntime", "bedrock-agentcore:CreateGateway", "cognito-idp:CreateUserPool"}


ENTERED = ServicesConfig(kubernetes=(ClusterSource(source="eks", cluster="prod", access_entry=True),))


def declared(services: ServicesConfig | None = None, **changed: str) -> tuple[Config, Blueprint]:
    environ = {"AWS_ACCOUNT_ID": ACCOUNT, "SRE_DOMAIN_NAME": "sre.example.com", **changed}
    config = load(EXAMPLE, environ=environ, mode="production")
    assert isinstance(config, Config), config
    config = config.model_copy(update={"services": services}) if services else config
    facts = replace(describe_account(config), account_id=ACCOUNT, partition="aws")
    return config, blueprint(config, facts)


def policies(services: ServicesConfig | None = None, **changed: str) -> tuple[dict[str, Any], ...]:
    return split_policies(list_statements(*declared(services, **changed), ACCOUNT))


def statements(found: tuple[dict[str, Any], ...]) -> Iterator[dict[str, Any]]:
    return (statement for policy in found for statement in policy["Statement"])


def test_each_policy_fits_aws() -> None:
    """No managed policy is longer than AWS takes; each statement has an id of its own."""
    found = policies(SRE_AGENT__DEPLOYMENT__HOSTED_ZONE_ID="Z0123456789ABCDEFGHIJ")
    assert [each for each in found if len(re.sub(r"\s", "", json.dumps(each))) > LONGEST_POLICY] == []
    sids = [statement["Sid"] for statement in statements(found)]
    assert len(sids) == len(set(sids))
    assert list(name_policies(ID, 2)) == [f"{ID}-deployer-1", f"{ID}-deployer-2"]
    assert list(name_policies(ID, 1)) == [f"{ID}-deployer"]


def test_every_action_of_the_resources_is_there() -> None:
    """The policy has every action that the reference lists for the types of this deployment."""
    found = policies(
        ENTERED,
        SRE_AGENT__DEPLOYMENT__HOSTED_ZONE_ID="Z0123456789ABCDEFGHIJ",
        SRE_AGENT__AWS__NETWORK="create",
        SRE_AGENT__AWS__ENDPOINTS="all",
        SRE_AGENT__LIMITS__MONTHLY_USD="50",
        SRE_AGENT__ALERTS__EMAIL="a@b.example",
        SRE_AGENT__MONITORING__OUTSIDE_CHECK="true",
        SRE_AGENT__MONITORING__CLOUDTRAIL="true",
        SRE_AGENT__ASSISTANT__SESSION_STORE="dynamodb",
    )
    allowed = {action for statement in statements(found) for action in statement["Action"]}
    needed = json.loads((files("sre_agent_deploy") / "actions.json").read_text(encoding="utf-8"))
    assert {action for kind, actions in needed.items() if "Runtime" not in kind for action in actions} - allowed == set()


def test_the_actions_are_those_of_the_calls() -> None:
    """`actions.json` is fresh: a call that was added since `make generate` would be refused."""
    spec = spec_from_file_location("reference_resources", EXAMPLE.parents[1] / "scripts" / "reference" / "resources.py")
    assert spec and spec.loader
    generator = module_from_spec(spec)
    spec.loader.exec_module(generator)
    assert (files("sre_agent_deploy") / "actions.json").read_text(encoding="utf-8") == generator.render_actions()


def test_a_type_has_the_actions_of_the_functions_that_it_uses() -> None:
    """A type that shares a file with others has the actions of what it calls there, directly or not, and none of the rest."""
    needed = json.loads((files("sre_agent_deploy") / "actions.json").read_text(encoding="utf-8"))
    tags = {"ec2:CreateTags", "ec2:DeleteTags"}
    # An address has tags, and its association with an instance has none; neither describes an image.
    assert tags <= set(needed["AWS::EC2::EIP"])
    assert not tags & set(needed["AWS::EC2::EIPAssociation"])
    assert [kind for kind, actions in needed.items() if "ec2:DescribeImages" in actions] == ["AWS::EC2::Instance"]
    # A security group asks what uses it, and the function that it asks asks whether an instance is about to go.
    assert {"ec2:DescribeNetworkInterfaces", "ec2:DescribeInstances"} <= set(needed["AWS::EC2::SecurityGroup"])


def test_what_it_narrows() -> None:
    """Changing actions are limited to the deployment's names or tag; `*` remains for listings and for what AWS can't limit."""
    asked_from_outside = policies(SRE_AGENT__ALERTS__EMAIL="a@b.example", SRE_AGENT__MONITORING__OUTSIDE_CHECK="true")
    for statement in (*statements(policies(ENTERED)), *statements(asked_from_outside)):
        if "*" in statement["Resource"]:
            changing = {action for action in statement["Action"] if not action.startswith("ec2:Describe")}
            assert changing <= FOR_ALL or (changing <= CREATED_WITH_TAG and ID in json.dumps(statement["Condition"]))
        writes = [action for action in statement["Action"] if not re.search(r":(Describe|Get|List|View)", action) and action not in FOR_ALL]
        narrowed = ID in json.dumps([statement["Resource"], statement.get("Condition")])
        assert narrowed or writes in (
            [],
            ["ec2:RunInstances"],
            ["ec2:CreateSecurityGroup"],
            ["bedrock:InvokeModel"],
            OF_ANY_CHECK,
            LET_DELIVER,
        ), statement


def test_what_it_may_pass_attach_and_tag() -> None:
    """A role of the deployment is passed to these two services only, gets no other managed policy, and a tag only what is being created."""
    roles, ours = f"arn:aws:iam::{ACCOUNT}:role/sre-agent/{ID}/*", {"aws:RequestTag/sre-agent:deployment-id": ID}
    creates = ["AllocateAddress", "CreateSecurityGroup", "RunInstances"]
    creates += ["CreateVpc", "CreateInternetGateway", "CreateRouteTable", "CreateSubnet", "CreateVpcEndpoint"]
    expected = {
        "iam:PassRole": ([roles], {"StringEquals": {"iam:PassedToService": ["bedrock-agentcore.amazonaws.com", "ec2.amazonaws.com"]}}),
        "iam:AttachRolePolicy": (
            [roles], {"ArnEquals": {"iam:PolicyARN": ["arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"]}},
        ),
        "ec2:AllocateAddress": ([f"arn:aws:ec2:us-east-1:{ACCOUNT}:elastic-ip/*"], {"StringEquals": ours}),
        "ec2:TerminateInstances": (
            [f"arn:aws:ec2:us-east-1:{ACCOUNT}:*"], {"StringEquals": {"aws:ResourceTag/sre-agent:deployment-id": ID}},
        ),
    }  # fmt: skip
    found = json.loads(json.dumps(list(statements(policies()))))
    for action, (resources, condition) in expected.items():
        assert [(each["Resource"], each.get("Condition")) for each in found if action in each["Action"]] == [(resources, condition)], action
    tagging = [each["Condition"]["StringEquals"] for each in found if "ec2:CreateTags" in each["Action"]]
    assert {**ours, "ec2:CreateAction": creates} in tagging
    assert ours not in tagging


def test_which_secrets_it_may_read() -> None:
    """Those below its id alone; a deployment without secrets none, although every other read is there to look for leftovers."""

    def readable(found: tuple[dict[str, Any], ...]) -> list[list[str]]:
        return [each["Resource"] for each in statements(found) if "secretsmanager:GetSecretValue" in each["Action"]]

    assert readable(policies()) == [[f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:{ID}/*"]]
    config, plan = declared()
    without = replace(plan, items=tuple(item for item in plan if item.resource.KIND != "AWS::SecretsManager::Secret"))
    assert readable(split_policies(list_statements(config, without, ACCOUNT))) == []


def test_what_the_boundary_limits() -> None:
    """Each action that gives a role permissions is allowed for roles with the named boundary only, and none takes it off."""
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/team"
    found = list(statements(policies(SRE_AGENT__AWS__PERMISSIONS_BOUNDARY=boundary)))
    for action in ("iam:AttachRolePolicy", "iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"):
        conditions = [each["Condition"]["StringEquals"] for each in found if action in each["Action"]]
        assert conditions == [{"iam:PermissionsBoundary": boundary}], action
    assert not [each for each in found if "iam:DeleteRolePermissionsBoundary" in each["Action"]]


def test_the_table_of_sessions() -> None:
    """Only with sessions in DynamoDB a table may be created; this one by its name, and no item of it may be read."""
    table = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{ID}-*"
    found = [each for each in statements(policies(SRE_AGENT__ASSISTANT__SESSION_STORE="dynamodb")) if "dynamodb:" in str(each["Action"])]
    assert {tuple(each["Resource"]) for each in found if each["Action"] != ["dynamodb:ListTables"] and "*" not in each["Resource"]} == {
        (table,)
    }
    allowed = {action for each in found for action in each["Action"] if action.startswith("dynamodb:")}
    assert {"dynamodb:CreateTable", "dynamodb:TagResource", "dynamodb:DeleteTable", "dynamodb:UpdateTimeToLive"} <= allowed
    assert not {"dynamodb:Query", "dynamodb:Scan", "dynamodb:GetItem", "dynamodb:PutItem"} & allowed
    usual = {action for each in statements(policies()) for action in each["Action"] if action.startswith("dynamodb:")}
    assert "dynamodb:CreateTable" not in usual


def test_the_workload_identities() -> None:
    """A gateway and a runtime each create an identity of their own name; AgentCore has no other that may be created."""
    names = {"ec2": (ID,), "agentcore": (ID, ID.replace("-", "_"))}
    for runtime, expected in names.items():
        [created] = [
            each["Resource"]
            for each in statements(policies(SRE_AGENT__ASSISTANT__RUNTIME=runtime, SRE_AGENT__ASSISTANT__IMAGE=IMAGE))
            if "bedrock-agentcore:CreateWorkloadIdentity" in each["Action"]
        ]
        directory = f"arn:aws:bedrock-agentcore:us-east-1:{ACCOUNT}:workload-identity-directory/default"
        assert created == [directory, *(f"{directory}/workload-identity/{name}-*" for name in expected)]


def test_the_role_for_network_interfaces() -> None:
    """Only with a runtime in a VPC AgentCore may create its service-linked role, that one alone."""
    runtime = {"SRE_AGENT__ASSISTANT__RUNTIME": "agentcore", "SRE_AGENT__ASSISTANT__IMAGE": IMAGE}
    network = {"SUBNET_IDS": '["subnet-0123456789abcdef0"]', "SECURITY_GROUP_IDS": '["sg-0123456789abcdef0"]'}
    in_vpc = policies(**runtime, **{f"SRE_AGENT__ASSISTANT__{name}": value for name, value in network.items()})
    [created] = [each for each in statements(in_vpc) if "iam:CreateServiceLinkedRole" in each["Action"]]
    service = "network.bedrock-agentcore.amazonaws.com"
    role = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/{service}/AWSServiceRoleForBedrockAgentCoreNetwork"
    assert (created["Resource"], created["Condition"]) == ([role], {"StringEquals": {"iam:AWSServiceName": service}})
    assert not [each for each in statements(policies(**runtime)) if "iam:CreateServiceLinkedRole" in each["Action"]]


def test_who_may_be_let_into_a_cluster() -> None:
    """Only roles of this deployment, only into the named cluster, and only as members of the group that reads; no policy is associated."""
    found = {statement["Sid"].rstrip("0123456789"): statement for statement in statements(policies(ENTERED))}
    entering = found["EnterClusters"]
    assert (entering["Action"], entering["Resource"]) == (["eks:CreateAccessEntry"], [f"arn:aws:eks:us-east-1:{ACCOUNT}:cluster/prod"])
    assert entering["Condition"] == {
        "StringEquals": {"aws:RequestTag/sre-agent:deployment-id": ID},
        "ArnLike": {"eks:principalArn": f"arn:aws:iam::{ACCOUNT}:role/sre-agent/{ID}/*"},
        "ForAllValues:StringEquals": {"eks:kubernetesGroups": "sre-agent-readers"},
    }
    every = {action for statement in statements(policies(ENTERED)) for action in statement["Action"]}
    assert not {"eks:AssociateAccessPolicy", "eks:UpdateClusterConfig"} & every
    usual = {action for statement in statements(policies()) for action in statement["Action"] if action.startswith("eks:")}
    assert all(action.startswith(("eks:Describe", "eks:List")) for action in usual)


def test_what_the_user_named_is_read_only() -> None:
    """An existing role is passed and read, never changed; of an existing bucket only the objects under the prefix are written."""
    named = policies(SRE_AGENT__AWS__ROLE_NAME="team-role", SRE_AGENT__GATEWAY__S3_BUCKET="team-bucket")
    of_role = [each for each in statements(named) if "team-role" in json.dumps(each["Resource"])]
    assert {action for each in of_role for action in each["Action"] if not re.match(r"iam:(Get|List|Simulate)", action)} == {"iam:PassRole"}
    [asked] = [each["Resource"] for each in statements(named) if each["Sid"] == "AskOfNamedRole"]
    assert asked == [f"arn:aws:iam::{ACCOUNT}:role/{path}team-role" for path in ("", "*/")]
    writes = [
        resource
        for each in statements(named)
        if any(re.match(r"s3:(Put|Delete|Create)", action) for action in each["Action"])
        for resource in each["Resource"]
    ]
    assert writes == [f"arn:aws:s3:::team-bucket/sre-agent/{ID}/*"]


def test_what_a_bucket_key_and_a_custom_domain_need() -> None:
    """The use of the key through S3, Cognito's distribution, and this one certificate; without the settings none of them."""
    key = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    certificate = f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/1234abcd-12ab-34cd-56ef-1234567890ab"
    found = {
        statement["Sid"]: statement
        for statement in statements(
            policies(
                SRE_AGENT__GATEWAY__KMS_KEY_ARN=key,
                SRE_AGENT__CREDENTIALS__CUSTOM_DOMAIN="auth.example.com",
                SRE_AGENT__CREDENTIALS__CUSTOM_DOMAIN_CERTIFICATE=certificate,
            )
        )
    }
    assert (found["UseBucketKey"]["Action"], found["UseBucketKey"]["Resource"]) == (["kms:Decrypt", "kms:GenerateDataKey"], [key])
    assert found["UseBucketKey"]["Condition"] == {"StringLike": {"kms:ViaService": "s3.us-east-1.amazonaws.com*"}}
    assert found["ReadLoginCertificate"]["Resource"] == [certificate]
    assert found["ServeCustomDomain"]["Action"] == ["cloudfront:UpdateDistribution"]
    assert (found["ReadNamedKeys"]["Action"], found["ReadNamedKeys"]["Resource"]) == (["kms:DescribeKey", "kms:GetKeyPolicy"], [key])
    usual = {statement["Sid"] for statement in statements(policies())}
    assert usual.isdisjoint({"UseBucketKey", "ReadNamedKeys", "AskOfNamedRole", "ReadLoginCertificate", "ServeCustomDomain"})


def test_a_bucket_of_backups_is_read_and_never_changed() -> None:
    """The deployer lists it, sees how it encrypts, and reads the backups of its own deployment; the machine writes them."""
    named = policies(SRE_AGENT__BACKUPS__AT="02:30", SRE_AGENT__BACKUPS__BUCKET="theirs-1")
    found = [each for policy in named for each in policy["Statement"] if "arn:aws:s3:::theirs-1" in str(each["Resource"])]
    actions = {str(resource): sorted(each["Action"]) for each in found for resource in each["Resource"]}
    assert actions == {
        "arn:aws:s3:::theirs-1": ["s3:GetEncryptionConfiguration", "s3:ListBucket"],
        f"arn:aws:s3:::theirs-1/sre-agent/{ID}/backups/*": ["s3:GetObject", "s3:GetObjectTagging"],
    }

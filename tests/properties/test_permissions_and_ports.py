"""The ports and permissions of a deployment, judged by what AWS has after it was made, and not by the configuration."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from embedded_aws import policy
from fixtures.any_configuration import Account, account, sections
from sre_agent_deploy.account import AccountFacts
from sre_agent_deploy.account.account import look_up_account
from sre_agent_deploy.blueprint import blueprint
from sre_agent_deploy.config.load import load
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.engine import inventory
from sre_agent_deploy.graph import Blueprint, Item
from sre_agent_deploy.instance.user_data import group_credentials, secret_name
from sre_agent_deploy.later import Ref, refs, resolve
from sre_agent_deploy.plan import Action, Change, decide_change
from sre_agent_deploy.resource import Mark
from sre_agent_deploy.resources.cognito_app_client import AppClient
from sre_agent_deploy.resources.cognito_resource_server import ResourceServer
from sre_agent_deploy.resources.cognito_user_pool import UserPool
from sre_agent_deploy.resources.ec2_security_group import SecurityGroup
from sre_agent_deploy.resources.ec2_vpc import Vpc
from sre_agent_deploy.resources.ec2_vpc_endpoint import VpcEndpoint
from sre_agent_deploy.resources.iam_role import IamRole
from sre_agent_deploy.resources.s3_bucket import S3Bucket

# Those that decide who may do what; nothing else is made, so that a hundred configurations take seconds.
DECIDING = (S3Bucket, UserPool, ResourceServer, AppClient, IamRole, Vpc, SecurityGroup)
WORLD = {"0.0.0.0/0", "::/0"}
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret"
AGENTCORE = "arn:aws:bedrock-agentcore:us-east-1:123456789012"
# What a stolen credential would be tried for.
ACTIONS = (
    "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket", "s3:PutBucketPolicy", "s3:DeleteBucket",
    "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:ListSecrets", "secretsmanager:DeleteSecret",
    "iam:PassRole", "iam:CreateRole", "iam:PutRolePolicy", "sts:AssumeRole", "ec2:RunInstances", "ec2:TerminateInstances",
    "cognito-idp:AdminCreateUser", "cognito-idp:DescribeUserPoolClient", "route53:ChangeResourceRecordSets", "kms:Decrypt",
    "bedrock:InvokeModel", "bedrock-agentcore:GetWorkloadAccessToken", "bedrock-agentcore:GetResourceApiKey",
    "bedrock-agentcore:InvokeGateway", "bedrock-agentcore:UpdateGateway", "cloudwatch:PutMetricData", "logs:DeleteLogGroup",
)  # fmt: skip


@dataclass
class Made:
    """The resources of one configuration in AWS: ids by name, and the values that the rest would have."""

    config: Config
    plan: Blueprint
    ids: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with account(tmp_path_factory.mktemp("permissions"), "--no-boot") as opened:
        yield opened
        # Once for all hundred examples: what any of them had left would still be there.
        assert opened.everything() == opened.at_first


@pytest.fixture(scope="module")
def facts(there: Account, tmp_path_factory: pytest.TempPathFactory) -> AccountFacts:
    return look_up_account(loaded({"version": 1, "mode": "local"}, tmp_path_factory.mktemp("facts")), there.place)


def loaded(chosen: Mapping[str, Any], folder: Path) -> Config:
    (folder / "config.yaml").write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in chosen.items()))
    config = load(folder / "config.yaml", environ={}, mode="local")
    assert isinstance(config, Config), config
    return config


@pytest.mark.property(3)
@pytest.mark.timeout(1800)
@settings(max_examples=100, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate], suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_exactly_the_permissions_and_ports(there: Account, facts: AccountFacts, data: st.DataObject) -> None:
    """**Feature: aws-ec2-production-deployment, Property 3: AWS Resource Configuration**

    For any AWS resource creation, the deployment process should configure IAM roles, security groups, S3 buckets, and Cognito
    with exact specifications that allow required access and deny unauthorized access.

    For any valid configuration, as AWS then has it: the world reaches 443, and 80 for the redirect, and nothing else; the backends'
    ports only the VPC, 22 only the ranges that were named. Each role may do what is really done with it, and nothing else of what
    it could be tried for. The bucket is closed to the public and to plain HTTP, and the pool takes nobody who signs up. What was
    created is read back, and a plan finds nothing to change.
    """
    with tempfile.TemporaryDirectory(prefix="configuration-") as folder:
        config = loaded(data.draw(sections(there.theirs)), Path(folder))
    # A local deployment has none; in production the same resources are made.
    config = config.model_copy(update={"aws": config.aws.model_copy(update={"ipv6": data.draw(st.booleans())})})
    made = Made(config, blueprint(config, facts))
    try:
        for item in made.plan:
            make(item, made, there)
        judge_ports(made, there)
        judge_instance_role(made, there)
        judge_gateway_role(made, there)
        judge_bucket(made, there)
        judge_login(made, there)
    finally:
        for item in reversed([item for item in made.plan if item.name in made.ids and not item.named]):
            type(item.resource).delete(there.place.aws, made.ids[item.name])


def make(item: Item, made: Made, there: Account) -> None:
    """Make a deciding resource; of any other only the values that these refer to are made up."""
    if not isinstance(item.resource, DECIDING):
        return
    aws, resource = there.place.aws, item.resource
    for ref in refs(resource):
        made.outputs[ref.of].setdefault(ref.output, made_up(ref.of, ref.output))
    resource = resolve(resource, made.outputs)
    mark = Mark(made.plan.deployment, item.name, 1, f"{made.plan.deployment}-{item.name}", made.plan.tags)
    id = item.named or resource.create(aws, mark)
    made.ids[item.name] = id
    if not item.named:
        resource.configure(aws, id)
    found = inventory.read_resource(aws, type(resource), id, item.name, made.plan.deployment)
    change = decide_change(item, resource, found, None, made.plan.deployment, tags=made.plan.tags)
    assert isinstance(change, Change)
    assert (change.action, change.differences) == (Action.KEEP, ())
    made.outputs[item.name] |= {name: str(value) for name, value in change.outputs.items()}


def made_up(of: str, output: str) -> str:
    if output == "provider_arn":
        return f"{AGENTCORE}:token-vault/default/apikeycredentialprovider/backends"
    return f"{SECRET}:{of}" if output == "secret_arn" else f"{of}-{output}"


def judge_ports(made: Made, there: Account) -> None:
    ec2 = there.aws.client("ec2")
    [group] = ec2.describe_security_groups(GroupIds=[made.ids["security_group"]])["SecurityGroups"]
    [vpc] = ec2.describe_vpcs(VpcIds=[group["VpcId"]])["Vpcs"]
    opened: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for rule in group["IpPermissions"]:
        assert rule["IpProtocol"] == "tcp"
        assert not rule["UserIdGroupPairs"] and not rule["PrefixListIds"]
        for source in [each["CidrIp"] for each in rule["IpRanges"]] + [each["CidrIpv6"] for each in rule["Ipv6Ranges"]]:
            opened[source].add((rule["FromPort"], rule["ToPort"]))
    world = WORLD if made.config.aws.ipv6 else {"0.0.0.0/0"}
    wanted: dict[str, set[tuple[int, int]]] = defaultdict(set, {everyone: {(443, 443), (80, 80)} for everyone in world})
    wanted[vpc["CidrBlock"]] |= {(port, port) for port in (8011, 8012, 8013, 8014)}
    for cidr in made.config.deployment.ssh_cidrs:
        wanted[cidr].add((22, 22))
    assert opened == wanted
    judge_endpoints(made, there)


def judge_endpoints(made: Made, there: Account) -> None:
    """The machine alone reaches the VPC endpoints, with its role alone; only AWS's own packages are read by anybody there."""
    if inner := made.ids.get("endpoints_security_group"):
        [group] = there.aws.client("ec2").describe_security_groups(GroupIds=[inner])["SecurityGroups"]
        [rule] = group["IpPermissions"]
        assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"], rule["IpRanges"], rule["Ipv6Ranges"]) == ("tcp", 443, 443, [], [])
        assert [pair["GroupId"] for pair in rule["UserIdGroupPairs"]] == [made.ids["security_group"]]
    role = {"aws:PrincipalArn": Ref("instance_role", "role_arn")}
    endpoints = [item.resource for item in made.plan if isinstance(item.resource, VpcEndpoint)]
    assert bool(endpoints) is (made.config.aws.endpoints != "none")
    anybody = [each for endpoint in endpoints for each in endpoint.statements if each.conditions.get("ArnEquals") != role]
    assert {each.sid for each in anybody} <= {"ReadPackages"}


def judge_instance_role(made: Made, there: Account) -> None:
    bucket, prefix = f"arn:aws:s3:::{made.ids['bucket']}", object_prefix(made)
    credentials = [secret_name(service) for service in group_credentials(made.config)]
    secrets = {f"{SECRET}:{name}" for name in (key_owner(made), "gateway_client_secret", "certificate", *credentials)}
    own = {"cloudwatch:namespace": f"SREAgent/{made.plan.deployment}"}
    expected = {("s3:GetObject", f"{bucket}/{prefix}/releases/a.zip"), ("s3:PutObject", f"{bucket}/{prefix}/status/i-1/ready.json")}
    expected |= {("secretsmanager:GetSecretValue", secret) for secret in secrets}
    assert allowed(made, there, "instance_role", {}) == expected
    metric = ("cloudwatch:PutMetricData",)
    assert allowed(made, there, "instance_role", {"cloudwatch:namespace": "AWS/EC2"}, metric) == set()
    assert allowed(made, there, "instance_role", own, metric) == {(*metric, resource) for resource in resources(made)}
    attached = there.aws.client("iam").list_attached_role_policies(RoleName=made.ids["instance_role"])["AttachedPolicies"]
    assert [each["PolicyName"] for each in attached] == ["AmazonSSMManagedInstanceCore"]


def judge_gateway_role(made: Made, there: Account) -> None:
    if made.plan.item("gateway_role").named:
        return
    directory, identity, vault, provider = agentcore_resources(made)
    expected = {("bedrock-agentcore:GetWorkloadAccessToken", resource) for resource in (directory, identity)}
    expected |= {("bedrock-agentcore:GetResourceApiKey", resource) for resource in (directory, identity, vault, provider)}
    expected |= {("secretsmanager:GetSecretValue", f"{SECRET}:{key_owner(made)}")}
    assert allowed(made, there, "gateway_role", {}) == expected


def allowed(made: Made, there: Account, role: str, keys: Mapping[str, str], actions: Sequence[str] = ACTIONS) -> set[tuple[str, str]]:
    """Return which of all actions, on which of all resources, the role's own policy allows."""
    iam, name = there.aws.client("iam"), made.ids[role]
    policies = [
        iam.get_role_policy(RoleName=name, PolicyName=each)["PolicyDocument"]
        for each in iam.list_role_policies(RoleName=name)["PolicyNames"]
    ]
    return {(action, each) for action in actions for each in resources(made) if policy.allows(policies, action, each, keys)}


def resources(made: Made) -> list[str]:
    """One of each that a role may be tried on: its own, and its neighbours."""
    bucket, prefix = f"arn:aws:s3:::{made.ids['bucket']}", object_prefix(made)
    names = ("backend_key", "credential_provider", "gateway_client_secret", "caller_client_secret", "certificate", "of-another")
    credentials = [secret_name(service) for service in group_credentials(made.config)]
    return [
        "*",
        bucket,
        f"{bucket}/{prefix}/releases/a.zip",
        f"{bucket}/{prefix}/status/i-1/ready.json",
        f"{bucket}/{prefix}/openapi/logs.json",
        f"{bucket}/sre-0000000000/releases/a.zip",
        "arn:aws:s3:::of-another/releases/a.zip",
        *(f"{SECRET}:{name}" for name in (*names, *credentials)),
        *agentcore_resources(made),
        f"{AGENTCORE}:workload-identity-directory/default/workload-identity/of-another-abcdefghij",
        f"{AGENTCORE}:token-vault/default/apikeycredentialprovider/of-another",
        f"{AGENTCORE}:gateway/of-another-abcdefghij",
        "arn:aws:iam::123456789012:role/admin",
    ]


def agentcore_resources(made: Made) -> tuple[str, str, str, str]:
    gateway = (made.config.gateway.gateway_name or made.plan.deployment).lower()
    directory, vault = f"{AGENTCORE}:workload-identity-directory/default", f"{AGENTCORE}:token-vault/default"
    return directory, f"{directory}/workload-identity/{gateway}-abcdefghij", vault, made_up("credential_provider", "provider_arn")


def key_owner(made: Made) -> str:
    return "credential_provider" if made.config.gateway.provider_arn else "backend_key"


def object_prefix(made: Made) -> str:
    return "/".join(filter(None, (made.config.gateway.s3_path_prefix.strip("/"), made.plan.deployment)))


def judge_bucket(made: Made, there: Account) -> None:
    if made.plan.item("bucket").named:
        return
    s3, name = there.aws.client("s3"), made.ids["bucket"]
    assert set(s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"].values()) == {True}
    assert s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    document = json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])
    for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteBucket"):
        for secure, verdict in (("false", policy.Verdict.DENIED), ("true", policy.Verdict.SILENT)):
            asked = policy.AccessRequest("*", action, f"arn:aws:s3:::{name}/key", {"aws:securetransport": secure})
            assert policy.evaluate(document, asked) is verdict


def judge_login(made: Made, there: Account) -> None:
    cognito, pool = there.aws.client("cognito-idp"), made.ids["user_pool"]
    if not made.plan.item("user_pool").named:
        shown = cognito.describe_user_pool(UserPoolId=pool)["UserPool"]
        assert shown["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] is True
    server = made.outputs["resource_server"]["identifier"]
    for name, scope in (("gateway_client", "gateway.invoke"), ("caller_client", "assistant.invoke")):
        client = cognito.describe_user_pool_client(UserPoolId=pool, ClientId=made.ids[name].rpartition("/")[2])["UserPoolClient"]
        assert client["AllowedOAuthFlows"] == ["client_credentials"]
        assert client["AllowedOAuthScopes"] == [f"{server}/{scope}"]
        assert client["ClientSecret"]

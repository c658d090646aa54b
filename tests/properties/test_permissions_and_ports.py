"""The ports and permissions of a deployment, judged by what AWS has after it was made, and not by the configuration."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

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
from sre_agent_deploy.resource import TTL_TAG, Mark
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
type Client = Callable[[str], Any]
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


# The name and the tags of any deployment have tests of their own. With a few of them, what two configurations declare alike is made once.
OWNERS: tuple[dict[str, Any], ...] = (
    {"name": "plain", "tags": {}},
    {"name": "n-7", "tags": {"team": "sre"}},
    {"name": "tagged", "tags": {"team-a": "aZ 09+-=._:/@", "team-b": ""}},
)


@dataclass(frozen=True)
class Created:
    """A resource as AWS has it after it was created."""

    item: Item
    declared: Any
    tags: Mapping[str, str]
    id: str
    outputs: Mapping[str, str]
    shown: Any
    """What AWS answers to plain calls about what is judged: nothing of what the configuration names."""

    def needs(self, other: Created) -> bool:
        return other.item.name in {ref.of for ref in refs(self.item.resource)} and other.id in repr(self.declared)


@dataclass
class Shared:
    """An account, and the resources that are there for any configuration that declares them."""

    account: Account
    left: dict[tuple[str, ...], Created] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        return self.account.aws.client(service)

    def ensure(self, item: Item, declared: Any, plan: Blueprint) -> Created:
        """Take what is there if it was declared just so. Otherwise create it; what is there in its place has its name, and goes first."""
        place = (
            plan.deployment,
            item.name,
            item.named,
            *(getattr(declared, field, "") for field in ("user_pool_id", "vpc_id", "cidr_block")),
        )
        there = self.left.get(place)
        if there and (there.declared, there.tags) == (declared, compared(plan.tags)):
            return there
        if there:
            self.delete(place)
        self.left[place] = create(item, declared, plan, self)
        return self.left[place]

    def delete(self, place: tuple[str, ...]) -> None:
        """Delete a resource, after those that refer to it."""
        there = self.left.pop(place)
        while user := next((place for place, other in self.left.items() if other.needs(there)), None):
            self.delete(user)
        if not there.item.named:
            type(there.declared).delete(self.account.place.aws, there.id)

    def delete_all(self) -> None:
        while self.left:
            self.delete(next(iter(self.left)))


@dataclass
class Made:
    """The resources of one configuration in AWS, and the values that the rest would have."""

    config: Config
    plan: Blueprint
    there: dict[str, Created] = field(default_factory=dict)
    outputs: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))

    def id(self, name: str) -> str:
        return self.there[name].id


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    with account(tmp_path_factory.mktemp("permissions"), "--no-boot") as opened:
        shared = Shared(opened)
        yield shared
        shared.delete_all()
        # Once for all hundred examples: what any of them had left would still be there.
        assert opened.everything() == opened.at_first


@pytest.fixture(scope="module")
def facts(there: Shared, tmp_path_factory: pytest.TempPathFactory) -> AccountFacts:
    return look_up_account(loaded({"version": 1, "mode": "local"}, tmp_path_factory.mktemp("facts")), there.account.place)


def loaded(chosen: Mapping[str, Any], folder: Path) -> Config:
    (folder / "config.yaml").write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in chosen.items()))
    config = load(folder / "config.yaml", environ={}, mode="local")
    assert isinstance(config, Config), config
    return config


@pytest.mark.property(3)
@pytest.mark.timeout(1800)
@settings(max_examples=100, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate], suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_exactly_the_permissions_and_ports(there: Shared, facts: AccountFacts, data: st.DataObject) -> None:
    """**Feature: aws-ec2-production-deployment, Property 3: AWS Resource Configuration**

    For any AWS resource creation, the deployment process should configure IAM roles, security groups, S3 buckets, and Cognito
    with exact specifications that allow required access and deny unauthorized access.

    For any valid configuration, as AWS then has it: the world reaches 443, and 80 for the redirect, and nothing else; the backends'
    ports only the VPC, 22 only the ranges that were named. Each role may do what is really done with it, and nothing else of what
    it could be tried for. The bucket is closed to the public and to plain HTTP, and the pool takes nobody who signs up. What was
    created is read back, and a plan finds nothing to change.
    """
    drawn = data.draw(sections(there.account.theirs)) | data.draw(st.sampled_from(OWNERS))
    with tempfile.TemporaryDirectory(prefix="configuration-") as folder:
        config = loaded(drawn, Path(folder))
    # A local deployment has none; in production the same resources are made.
    config = config.model_copy(update={"aws": config.aws.model_copy(update={"ipv6": data.draw(st.booleans())})})
    made = Made(config, blueprint(config, facts))
    for item in made.plan:
        if isinstance(item.resource, DECIDING):
            make(item, made, there)
    judge_ports(made)
    judge_instance_role(made)
    judge_gateway_role(made)
    judge_bucket(made)
    judge_login(made)


def make(item: Item, made: Made, there: Shared) -> None:
    """Make a deciding resource, unless it is there; of any other only the values that these refer to are made up."""
    for ref in refs(item.resource):
        made.outputs[ref.of].setdefault(ref.output, made_up(ref.of, ref.output))
    made.there[item.name] = there.ensure(item, resolve(item.resource, made.outputs), made.plan)
    made.outputs[item.name] |= made.there[item.name].outputs


def create(item: Item, declared: Any, plan: Blueprint, there: Shared) -> Created:
    """Create a resource and read it back: a plan finds nothing to change."""
    aws, kind = there.account.place.aws, type(declared)
    mark = Mark(plan.deployment, item.name, 1, f"{plan.deployment}-{uuid4()}", plan.tags)
    id, look = item.named or declared.create(aws, mark), aws.observing()
    with ExitStack() as on_failure:
        if not item.named:
            on_failure.callback(kind.delete, aws, id)
            declared.configure(look, id)
        found = inventory.read_resource(look, kind, id, item.name, plan.deployment)
        change = decide_change(item, declared, found, None, plan.deployment, tags=plan.tags)
        assert isinstance(change, Change)
        assert (change.action, change.differences) == (Action.KEEP, ())
        shown = show(there.client, id) if not item.named and (show := SHOW.get(kind)) else None
        on_failure.pop_all()
    return Created(item, declared, compared(plan.tags), id, {name: str(value) for name, value in change.outputs.items()}, shown)


def compared(tags: Mapping[str, str]) -> dict[str, str]:
    """Leave out the lifetime, which is compared on the machine alone."""
    return {key: value for key, value in tags.items() if key != TTL_TAG}


def show_group(client: Client, id: str) -> dict[str, Any]:
    [group] = client("ec2").describe_security_groups(GroupIds=[id])["SecurityGroups"]
    [vpc] = client("ec2").describe_vpcs(VpcIds=[group["VpcId"]])["Vpcs"]
    return {**group, "VpcCidr": vpc["CidrBlock"]}


def show_role(client: Client, name: str) -> dict[str, Any]:
    iam = client("iam")
    inline = iam.list_role_policies(RoleName=name)["PolicyNames"]
    return {
        "policies": [iam.get_role_policy(RoleName=name, PolicyName=each)["PolicyDocument"] for each in inline],
        "attached": [each["PolicyName"] for each in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]],
    }


def show_bucket(client: Client, name: str) -> dict[str, Any]:
    s3 = client("s3")
    return {
        "public": s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"],
        "ownership": s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]["Rules"],
        "policy": json.loads(s3.get_bucket_policy(Bucket=name)["Policy"]),
    }


def show_pool(client: Client, id: str) -> Any:
    return client("cognito-idp").describe_user_pool(UserPoolId=id)["UserPool"]


def show_app_client(client: Client, id: str) -> Any:
    pool, _, name = id.rpartition("/")
    return client("cognito-idp").describe_user_pool_client(UserPoolId=pool, ClientId=name)["UserPoolClient"]


SHOW: Mapping[type[Any], Callable[[Client, str], Any]] = {
    SecurityGroup: show_group,
    IamRole: show_role,
    S3Bucket: show_bucket,
    UserPool: show_pool,
    AppClient: show_app_client,
}


def made_up(of: str, output: str) -> str:
    if output == "provider_arn":
        return f"{AGENTCORE}:token-vault/default/apikeycredentialprovider/backends"
    return f"{SECRET}:{of}" if output == "secret_arn" else f"{of}-{output}"


def judge_ports(made: Made) -> None:
    group = made.there["security_group"].shown
    opened: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for rule in group["IpPermissions"]:
        assert rule["IpProtocol"] == "tcp"
        assert not rule["UserIdGroupPairs"] and not rule["PrefixListIds"]
        for source in [each["CidrIp"] for each in rule["IpRanges"]] + [each["CidrIpv6"] for each in rule["Ipv6Ranges"]]:
            opened[source].add((rule["FromPort"], rule["ToPort"]))
    world = WORLD if made.config.aws.ipv6 else {"0.0.0.0/0"}
    wanted: dict[str, set[tuple[int, int]]] = defaultdict(set, {everyone: {(443, 443), (80, 80)} for everyone in world})
    wanted[group["VpcCidr"]] |= {(port, port) for port in (8011, 8012, 8013, 8014)}
    for cidr in made.config.deployment.ssh_cidrs:
        wanted[cidr].add((22, 22))
    assert opened == wanted
    judge_endpoints(made)


def judge_endpoints(made: Made) -> None:
    """The machine alone reaches the VPC endpoints, with its role alone; only AWS's own packages are read by anybody there."""
    if inner := made.there.get("endpoints_security_group"):
        [rule] = inner.shown["IpPermissions"]
        assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"], rule["IpRanges"], rule["Ipv6Ranges"]) == ("tcp", 443, 443, [], [])
        assert [pair["GroupId"] for pair in rule["UserIdGroupPairs"]] == [made.id("security_group")]
    role = {"aws:PrincipalArn": Ref("instance_role", "role_arn")}
    endpoints = [item.resource for item in made.plan if isinstance(item.resource, VpcEndpoint)]
    assert bool(endpoints) is (made.config.aws.endpoints != "none")
    anybody = [each for endpoint in endpoints for each in endpoint.statements if each.conditions.get("ArnEquals") != role]
    assert {each.sid for each in anybody} <= {"ReadPackages"}


def judge_instance_role(made: Made) -> None:
    bucket, prefix = f"arn:aws:s3:::{made.id('bucket')}", object_prefix(made)
    credentials = [secret_name(service) for service in group_credentials(made.config)]
    secrets = {f"{SECRET}:{name}" for name in (key_owner(made), "gateway_client_secret", "certificate", *credentials)}
    own = {"cloudwatch:namespace": f"SREAgent/{made.plan.deployment}"}
    expected = {("s3:GetObject", f"{bucket}/{prefix}/releases/a.zip"), ("s3:PutObject", f"{bucket}/{prefix}/status/i-1/ready.json")}
    expected |= {("secretsmanager:GetSecretValue", secret) for secret in secrets}
    assert allowed(made, "instance_role", {}) == expected
    metric = ("cloudwatch:PutMetricData",)
    assert allowed(made, "instance_role", {"cloudwatch:namespace": "AWS/EC2"}, metric) == set()
    assert allowed(made, "instance_role", own, metric) == {(*metric, resource) for resource in resources(made)}
    assert made.there["instance_role"].shown["attached"] == ["AmazonSSMManagedInstanceCore"]


def judge_gateway_role(made: Made) -> None:
    if made.plan.item("gateway_role").named:
        return
    directory, identity, vault, provider = agentcore_resources(made)
    expected = {("bedrock-agentcore:GetWorkloadAccessToken", resource) for resource in (directory, identity)}
    expected |= {("bedrock-agentcore:GetResourceApiKey", resource) for resource in (directory, identity, vault, provider)}
    expected |= {("secretsmanager:GetSecretValue", f"{SECRET}:{key_owner(made)}")}
    assert allowed(made, "gateway_role", {}) == expected


def allowed(made: Made, role: str, keys: Mapping[str, str], actions: Sequence[str] = ACTIONS) -> set[tuple[str, str]]:
    """Return which of all actions, on which of all resources, the role's own policy allows."""
    policies = made.there[role].shown["policies"]
    return {(action, each) for action in actions for each in resources(made) if policy.allows(policies, action, each, keys)}


def resources(made: Made) -> list[str]:
    """One of each that a role may be tried on: its own, and its neighbours."""
    bucket, prefix = f"arn:aws:s3:::{made.id('bucket')}", object_prefix(made)
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


def judge_bucket(made: Made) -> None:
    if made.plan.item("bucket").named:
        return
    name, shown = made.id("bucket"), made.there["bucket"].shown
    assert set(shown["public"].values()) == {True}
    assert shown["ownership"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteBucket"):
        for secure, verdict in (("false", policy.Verdict.DENIED), ("true", policy.Verdict.SILENT)):
            asked = policy.AccessRequest("*", action, f"arn:aws:s3:::{name}/key", {"aws:securetransport": secure})
            assert policy.evaluate(shown["policy"], asked) is verdict


def judge_login(made: Made) -> None:
    if not made.plan.item("user_pool").named:
        assert made.there["user_pool"].shown["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] is True
    server = made.outputs["resource_server"]["identifier"]
    for name, scope in (("gateway_client", "gateway.invoke"), ("caller_client", "assistant.invoke")):
        client = made.there[name].shown
        assert client["AllowedOAuthFlows"] == ["client_credentials"]
        assert client["AllowedOAuthScopes"] == [f"{server}/{scope}"]
        assert client["ClientSecret"]

"""The printed policy of the deployer: a whole deployment runs under it, and not without any part of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from behaviours import certificates, lister
from behaviours.command_line import ROOT, Desk
from fixtures import sample
from fixtures.sample import THOROUGH
from sre_core import release

DOMAIN = "sre.example.com"
USER = "deployer"
SAMPLE = 1
BOUNDARY, OTHER = "boundary", "another-boundary"
SSM = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
TRUST = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}


@dataclass(frozen=True)
class Deployer:
    """A desk whose commands sign as an IAM user with nothing but the printed policies."""

    desk: Desk
    settings: Mapping[str, str]
    policies: Mapping[str, Any]

    def allow(self, statements: Sequence[Mapping[str, Any]], of: Sequence[Mapping[str, Any]] = ()) -> None:
        """Let the user have these statements, as inline policies are too short, by as many managed ones as they need.

        `of` are the printed ones that they take the places of, one by one.
        """
        replaced = {str(before["Sid"]): now for before, now in zip(of, statements, strict=bool(of))}
        iam = self.desk.client("iam")
        for name, policy in self.policies.items():
            chosen = [replaced.get(str(each["Sid"]), each) for each in policy["Statement"]]
            kept = [each for each in chosen if each in statements]
            arn = f"arn:aws:iam::{self.desk.registry()['account_id']}:policy/{name}"
            version = iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps({**policy, "Statement": kept}), SetAsDefault=True)
            for other in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
                if other["VersionId"] != version["PolicyVersion"]["VersionId"]:
                    iam.delete_policy_version(PolicyArn=arn, VersionId=other["VersionId"])

    def statements(self) -> list[Mapping[str, Any]]:
        return [statement for policy in self.policies.values() for statement in policy["Statement"]]


@pytest.fixture
def deployer(desk: Desk, request: pytest.FixtureRequest) -> Iterator[Deployer]:
    """Start an AWS, and print the policies as an administrator does. Machines run only where the test asks for them."""
    options = getattr(request, "param", ("--no-boot",))
    desk.start_aws(*options)
    certificates.written(desk.folder, DOMAIN)
    text = (ROOT / "examples" / "production.yaml").read_text()
    if options == ("--no-boot",):
        # Nothing answers behind a cluster of the local AWS, so a machine that reads one would fail its verification.
        text = text.replace("  kubernetes: []\n", "  kubernetes: [{source: eks, cluster: prod, access_entry: true}]\n")
        desk.client("eks").create_cluster(
            name="prod", roleArn="arn:aws:iam::123456789012:role/cluster", resourcesVpcConfig={"subnetIds": ["subnet-1"]},
            accessConfig={"authenticationMode": "API"},
        )  # fmt: skip
    (desk.folder / "config.yaml").write_text(text)
    zone = desk.client("route53").create_hosted_zone(Name="example.com", CallerReference="test")["HostedZone"]["Id"].rpartition("/")[2]
    registry = desk.registry()
    settings = {
        "AWS_ENDPOINT_URL": registry["endpoint"],
        "AWS_CA_BUNDLE": registry["ca_file"],
        "AWS_ACCOUNT_ID": registry["account_id"],
        "SRE_DOMAIN_NAME": DOMAIN,
        "SRE_SSL_CERT_PATH": str(desk.folder / "fullchain.pem"),
        "SRE_SSL_KEY_PATH": str(desk.folder / "privkey.pem"),
        "SRE_SSL_CA_PATH": str(desk.folder / "ca.pem"),
        "SRE_AGENT__DEPLOYMENT__HOSTED_ZONE_ID": zone,
        "SRE_AGENT__DEPLOYMENT__DNS_TTL": "1",
        "SRE_AGENT__AWS__NETWORK": "create",
        # A permission that is missing looks like a role that AWS has not spread yet.
        "SRE_AGENT__RETRIES__PROPAGATING": "3s",
        "SRE_AGENT__LIMITS__MONTHLY_USD": "50",
        "SRE_AGENT__ALERTS__EMAIL": "team@example.com",
        "SRE_AGENT__MONITORING__OUTSIDE_CHECK": "true",
        "SRE_AGENT__MONITORING__CLOUDTRAIL": "true",
        "SRE_AGENT__MONITORING__TRACES": "xray",
        "SRE_AGENT__ASSISTANT__SESSION_STORE": "dynamodb",
    }
    iam = desk.client("iam")
    for name in (BOUNDARY, OTHER):
        limit = {"Effect": "Allow", "NotAction": "organizations:*", "Resource": "*"}
        arn = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [limit]}))["Policy"][
            "Arn"
        ]
        settings.setdefault("SRE_AGENT__AWS__PERMISSIONS_BOUNDARY", arn)
    printed = desk.deploy("iam-policy", **settings)
    assert printed.code == 0, printed.text
    policies: dict[str, Any] = json.loads(printed.out)
    iam.create_user(UserName=USER)
    for name, policy in policies.items():
        arn = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(policy))["Policy"]["Arn"]
        iam.attach_user_policy(UserName=USER, PolicyArn=arn)
    key = iam.create_access_key(UserName=USER)["AccessKey"]
    yield Deployer(desk, {**settings, "AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}, policies)


def is_answered(desk: Desk) -> bool:
    """Wait until the local AWS, which asks from outside, has got an answer of the machine that runs, by its name."""
    route53, end = desk.client("route53"), time.monotonic() + 60
    [check] = route53.list_health_checks()["HealthChecks"]
    while time.monotonic() < end:
        seen = route53.get_health_check_status(HealthCheckId=check["Id"])["HealthCheckObservations"]
        if seen and seen[0]["StatusReport"]["Status"].startswith("Success: HTTP Status Code 200"):
            return True
        time.sleep(0.5)
    return False


@pytest.mark.parametrize("deployer", [()], indirect=True)
def test_a_whole_deployment_under_the_printed_policy(deployer: Deployer) -> None:
    """Deploying, backing up, restoring and cleaning up need nothing that the policy does not allow, and leave nothing.

    The first and the third plan and verify too, as the commands of these names do.
    """
    desk, settings = deployer.desk, deployer.settings
    before = lister.everything(desk.client)
    restore = ("restore", "saved.zip", "--data", "--yes")
    for words in (("deploy", "--yes"), ("backup", "--data", "--output", "saved.zip"), restore, ("cleanup", "--yes")):
        if words == restore:
            lose_and_try(deployer, restore)
        ended = desk.deploy(*words, **settings)
        assert ended.code == 0, f"{words}\n{ended.text}"
        if words == ("deploy", "--yes"):
            assert is_answered(desk)
            # The machine writes into the table with its role.
            assert "it keeps sessions" in ended.text
            assert "ok   traces.arrive" in ended.text
            assert_traced(desk)
            live_in(desk)
        assert "AWS-PERMISSION-MISSING" not in ended.text
        assert "not authorized" not in ended.text
    assert lister.everything(desk.client) == before


def assert_traced(desk: Desk) -> None:
    """One question is one trace in X-Ray: each service's segment is below a call of a tool, and each call below the assistant's question.

    The agent of the machine has sent it with the machine's role.
    """
    xray, now = desk.client("xray"), time.time()
    ids = [each["Id"] for each in xray.get_trace_summaries(StartTime=now - 3600, EndTime=now + 60)["TraceSummaries"]]
    traces = [trace for first in range(0, len(ids), 5) for trace in xray.batch_get_traces(TraceIds=ids[first : first + 5])["Traces"]]
    stories = [[json.loads(segment["Document"]) for segment in trace["Segments"]] for trace in traces]
    # Those that have no question are the checks' own calls of tools.
    story = max(stories, key=len)
    [question] = [each for each in story if each["name"] == "sre-agent-assistant"]
    calls = [each for each in story if each["name"] == "call_tool"]
    served = [each for each in story if each["name"] in {f"sre-agent-{service.name}" for service in release.backends()}]
    assert {each["parent_id"] for each in calls} == {question["id"]}
    assert {each["parent_id"] for each in served} <= {each["id"] for each in calls}
    assert {each["name"] for each in served} == {f"sre-agent-{service.name}" for service in release.backends()}
    assert all(each["end_time"] >= each["start_time"] for each in story)


def live_in(desk: Desk) -> None:
    """Each kind of thing that a restore puts back: an attribute, a group, a user in it who is disabled, a document."""
    cognito, pool, bucket = desk.client("cognito-idp"), pool_of(desk), bucket_of(desk)
    cognito.add_custom_attributes(UserPoolId=pool, CustomAttributes=[{"Name": "team", "AttributeDataType": "String", "Mutable": True}])
    cognito.create_group(UserPoolId=pool, GroupName="on-call")
    attributes = [{"Name": "email", "Value": "ann@example.com"}, {"Name": "custom:team", "Value": "sre"}]
    cognito.admin_create_user(UserPoolId=pool, Username="ann", UserAttributes=attributes, MessageAction="SUPPRESS")
    cognito.admin_add_user_to_group(UserPoolId=pool, Username="ann", GroupName="on-call")
    cognito.admin_disable_user(UserPoolId=pool, Username="ann")
    desk.client("s3").put_object(Bucket=bucket, Key="reports/1.md", Body=b"# Report", Tagging="kind=report")


def lose_and_try(deployer: Deployer, words: tuple[str, ...]) -> None:
    """Lose a part and restore it: without the permission for it, the restore names it."""
    desk, cognito, pool = deployer.desk, deployer.desk.client("cognito-idp"), pool_of(deployer.desk)
    cognito.delete_group(UserPoolId=pool, GroupName="on-call")
    cognito.admin_delete_user(UserPoolId=pool, Username="ann")
    desk.client("s3").delete_object(Bucket=bucket_of(desk), Key="reports/1.md")
    for action in sample.sample(("cognito-idp:CreateGroup", "cognito-idp:AdminAddUserToGroup"), 1):
        without = [{**each, "Action": [one for one in each["Action"] if one != action]} for each in deployer.statements()]
        deployer.allow(without, of=deployer.statements())
        ended = desk.deploy(*words, **deployer.settings)
        assert (ended.code, action in ended.text) == (1, True), f"{action}\n{ended.text}"
        deployer.allow(deployer.statements())


def pool_of(desk: Desk) -> str:
    [pool] = desk.client("cognito-idp").list_user_pools(MaxResults=10)["UserPools"]
    return str(pool["Id"])


def bucket_of(desk: Desk) -> str:
    [bucket] = [each for each in desk.client("s3").list_buckets()["Buckets"] if not each["Name"].endswith("-trail")]
    return str(bucket["Name"])


def test_no_role_is_wider_than_the_boundary(deployer: Deployer) -> None:
    """With the printed policy no identity can give a role permissions without the named boundary, or remove it from one."""
    desk, settings = deployer.desk, deployer.settings
    admin, registry = desk.client("iam"), desk.registry()
    deployers = boto3.Session(settings["AWS_ACCESS_KEY_ID"], settings["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1")
    iam = deployers.client("iam", endpoint_url=registry["endpoint"], verify=registry["ca_file"])
    ours = settings["SRE_AGENT__AWS__PERMISSIONS_BOUNDARY"]
    other = ours.replace(BOUNDARY, OTHER)
    id = next(iter(deployer.policies)).removesuffix("-1").removesuffix("-deployer")
    document = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
    everything = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
    names = {"Path": f"/sre-agent/{id}/", "AssumeRolePolicyDocument": document}
    admin.create_role(RoleName=f"{id}-old", **names)
    iam.create_role(RoleName=f"{id}-ours", PermissionsBoundary=ours, **names)
    iam.put_role_policy(RoleName=f"{id}-ours", PolicyName="p", PolicyDocument=everything)
    for call, given in (
        ("create_role", {"RoleName": f"{id}-new", **names}),
        ("create_role", {"RoleName": f"{id}-new", "PermissionsBoundary": other, **names}),
        ("put_role_policy", {"RoleName": f"{id}-old", "PolicyName": "p", "PolicyDocument": everything}),
        ("attach_role_policy", {"RoleName": f"{id}-old", "PolicyArn": SSM}),
        ("put_role_permissions_boundary", {"RoleName": f"{id}-ours", "PermissionsBoundary": other}),
        ("delete_role_permissions_boundary", {"RoleName": f"{id}-ours"}),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            getattr(iam, call)(**given)
    iam.put_role_permissions_boundary(RoleName=f"{id}-old", PermissionsBoundary=ours)
    iam.attach_role_policy(RoleName=f"{id}-old", PolicyArn=SSM)


@pytest.mark.timeout(3600)
def test_without_any_one_statement(deployer: Deployer, tried: Callable[[str, int], None]) -> None:
    """Each statement is needed: without it a command stops with a problem that names an action of the statement."""
    desk, chance = deployer.desk, Random(sample.seed())
    statements = deployer.statements()
    for without in statements if THOROUGH else chance.sample(statements, SAMPLE):
        deployer.allow([each for each in statements if each is not without])
        text = "".join(desk.deploy(*words, **deployer.settings).text for words in (("deploy", "--yes"), ("cleanup", "--yes")))
        assert [action for action in without["Action"] if action in text], f"{without['Sid']}\n{text}"
        deployer.allow(statements)
        if desk.state_file.exists():
            cleaned = desk.deploy("cleanup", "--yes", **deployer.settings)
            assert cleaned.code == 0, cleaned.text
    tried("statements of the deployer's policy taken away", len(statements) if THOROUGH else SAMPLE)

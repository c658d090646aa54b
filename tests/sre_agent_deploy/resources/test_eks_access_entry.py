"""The access entry: it lets one role into a cluster as a member of one group, and nothing else of the cluster changes."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from fixtures.embedded import EmbeddedAws
from sre_agent_deploy.account.account import describe_account
from sre_agent_deploy.aws import Aws, Endpoint
from sre_agent_deploy.blueprint import blueprint
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.deployer_policy import list_statements
from sre_agent_deploy.resource import TagChanges
from sre_agent_deploy.resources.eks_access_entry import READERS, AccessEntry
from sre_agent_deploy.resources.policy_document import permissions_policy
from sre_core.secret import Secret

from .conftest import Marked
from .life import check_life_cycle, check_repair, configure, create, delete, drift, read, refused

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
VIEW = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"


def create_cluster(aws: Aws, name: str, mode: str = "API") -> None:
    aws.client("eks").create_cluster(
        name=name,
        roleArn=f"arn:aws:iam::{aws.account_id}:role/cluster",
        resourcesVpcConfig={"subnetIds": ["subnet-1"]},
        **({"accessConfig": {"authenticationMode": mode}} if mode else {}),
    )


def create_role(aws: Aws, deployment: str) -> str:
    made = aws.client("iam").create_role(
        RoleName=f"{deployment}-instance", Path=f"/sre-agent/{deployment}/", AssumeRolePolicyDocument=json.dumps(TRUST)
    )
    return made["Role"]["Arn"]


@pytest.fixture
def entry(aws: Aws, deployment: str) -> Iterator[AccessEntry]:
    """An entry of a role of this deployment, in a cluster that knows entries."""
    create_cluster(aws, deployment)
    arn = create_role(aws, deployment)
    yield AccessEntry(name="access_entry_prod", cluster_name=deployment, principal_arn=arn, kubernetes_groups=(READERS,))
    aws.client("eks").delete_cluster(name=deployment)
    aws.client("iam").delete_role(RoleName=f"{deployment}-instance")


def test_an_entry_from_creation_to_deletion(aws: Aws, marked: Marked, entry: AccessEntry) -> None:
    """It is created with its tags, found by them, and deleted; nothing else of the cluster is another afterwards."""
    eks = aws.client("eks")
    before = eks.describe_cluster(name=entry.cluster_name)["cluster"]
    check_life_cycle(aws, entry, marked("access_entry_prod"))
    assert eks.describe_cluster(name=entry.cluster_name)["cluster"] == before
    assert eks.list_access_entries(clusterName=entry.cluster_name)["accessEntries"] == []


def test_an_entry_that_differs(aws: Aws, marked: Marked, deployment: str, entry: AccessEntry) -> None:
    """Another group is repaired, and a policy that was added by hand is removed: it may give more than the manifest."""
    id = create(aws, entry, marked("access_entry_prod"))
    check_repair(aws, entry, id, kubernetes_groups=("others", READERS))
    cluster, _, principal = id.partition("/")
    aws.client("eks").associate_access_policy(clusterName=cluster, principalArn=principal, policyArn=VIEW, accessScope={"type": "cluster"})
    assert [each.field for each in drift(aws, entry, id)] == ["access_policies"]
    configure(aws, entry, id)
    assert drift(aws, entry, id) == ()
    assert set(AccessEntry.deployments(aws)) >= {deployment}
    delete(aws, entry, id, deployment)


def test_an_entry_of_others(aws: Aws, marked: Marked, deployment: str, entry: AccessEntry) -> None:
    """One that was created by hand is shown as a stranger's, and never taken over."""
    id = create(aws, entry, replace(marked("access_entry_prod"), deployment="sre-of-others"))
    assert read(aws, entry, id).owner(deployment) == "stranger"
    assert AccessEntry.owned(aws, deployment) == ()
    assert refused(aws, entry, marked("access_entry_prod")).code == "EKS-ACCESS-EXISTS"


def test_a_role_that_was_created_anew(aws: Aws, marked: Marked, deployment: str, entry: AccessEntry) -> None:
    """EKS lets only the role before in, although the ARN is the same: the entry must be replaced."""
    id = create(aws, entry, marked("access_entry_prod"))
    assert read(aws, entry, id).broken == ""
    aws.client("iam").delete_role(RoleName=f"{deployment}-instance")
    time.sleep(1.1)  # both times have whole seconds
    create_role(aws, deployment)
    assert "created again" in read(aws, entry, id).broken
    delete(aws, entry, id, deployment)


@pytest.mark.parametrize(("mode", "code"), [("CONFIG_MAP", "EKS-AUTHENTICATION-MODE"), ("", "EKS-AUTHENTICATION-MODE")])
def test_a_cluster_that_knows_no_entries(aws: Aws, marked: Marked, entry: AccessEntry, mode: str, code: str) -> None:
    """Nothing of it is read or listed as ours; a creation is refused, and the answer shows how the role is let in without an entry."""
    cluster = f"{entry.cluster_name}-old{mode[:1]}"
    create_cluster(aws, cluster, mode)
    try:
        other = replace(entry, cluster_name=cluster)
        assert AccessEntry.read(aws, other.natural_id(aws), other.name) is None
        problem = refused(aws, other, marked("access_entry_prod"))
        assert problem.code == code
        assert "eksctl create iamidentitymapping" in problem.do[0]
    finally:
        aws.client("eks").delete_cluster(name=cluster)


def test_what_eks_refuses(aws: Aws, marked: Marked, deployment: str, entry: AccessEntry) -> None:
    """A cluster that is not there, a role that IAM does not know, and groups that Kubernetes keeps for itself."""
    mark = marked("access_entry_prod")
    assert refused(aws, replace(entry, cluster_name=f"{deployment}-gone"), mark).code == "EKS-CLUSTER-NOT-FOUND"
    for changed in ({"principal_arn": f"{entry.principal_arn}-gone"}, {"kubernetes_groups": ("system:masters",)}):
        assert refused(aws, replace(entry, **changed), mark).code == "EKS-ACCESS-REFUSED"


@pytest.fixture
def deployer(aws: Aws, embedded: EmbeddedAws, deployment: str) -> Iterator[Aws]:
    """The account as a user has it who may do what the deployer's policy says of clusters, and read roles."""
    config = Config.model_validate(
        {"mode": "production", "name": "x", "services": {"kubernetes": [{"source": "eks", "cluster": deployment, "access_entry": True}]}}
    )
    plan = blueprint(config, describe_account(config))
    statements = list_statements(config, dataclasses.replace(plan, deployment=deployment), aws.account_id)
    ours = [each for each in statements if any(action.startswith(("eks:", "iam:GetRole")) for action in each.actions)]
    iam = aws.client("iam")
    iam.create_user(UserName=deployment)
    iam.put_user_policy(UserName=deployment, PolicyName="p", PolicyDocument=json.dumps(permissions_policy(ours)))
    key = iam.create_access_key(UserName=deployment)["AccessKey"]
    yield Aws(
        region=embedded.region,
        endpoint=Endpoint(embedded.endpoint, embedded.ca_file, key["AccessKeyId"], Secret(key["SecretAccessKey"])),
    )


def test_under_the_printed_policy(deployer: Aws, marked: Marked, deployment: str, entry: AccessEntry) -> None:
    """The whole life of an entry needs no more than the policy says; another group, another role or another cluster is refused."""
    mark = marked("access_entry_prod")
    id = create(deployer, entry, mark)
    configure(deployer, replace(entry, kubernetes_groups=(READERS,)), id)
    AccessEntry.set_tags(deployer, id, TagChanges({"team": "red"}, ()))
    assert dict(read(deployer, entry, id).tags or {})["team"] == "red"
    AccessEntry.set_tags(deployer, id, TagChanges({}, ("team", "stage")))
    assert "team" not in dict(read(deployer, entry, id).tags or {})
    assert [owned.id for owned in AccessEntry.owned(deployer, deployment)] == [id]
    delete(deployer, entry, id, deployment)
    theirs = str(entry.principal_arn).replace(f"/sre-agent/{deployment}/", "/")
    for changed in ({"kubernetes_groups": ("admins",)}, {"principal_arn": theirs}, {"cluster_name": f"{deployment}-other"}):
        assert refused(deployer, replace(entry, **changed), mark).code == "AWS-ACCESS-DENIED"
    assert refused(deployer, entry, replace(mark, deployment="sre-of-others")).code == "AWS-ACCESS-DENIED"

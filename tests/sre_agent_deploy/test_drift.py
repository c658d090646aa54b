"""Manual changes and deletions are found, shown field by field, and repaired; resources of others are not changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from fixtures.embedded import EmbeddedAws
from fixtures.engine import Engine
from sre_agent_deploy.account import AccountFacts
from sre_agent_deploy.account.account import Account
from sre_agent_deploy.commands.plan import look_up_facts
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.plan import Action, Change, Difference, Plan

_ANYTHING = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'


@pytest.fixture(scope="module")
def whole(unbooted: EmbeddedAws, site: AccountFacts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One deployment for all: each test ends with a deployment that has nothing left to do."""
    engine = Engine(unbooted, site, tmp_path_factory.mktemp("drift"), sections={"tags": {"team": "red"}})
    engine.deploy()
    yield engine
    engine.discard()


def changes(plan: Plan) -> dict[str, Change]:
    """Return what a plan changes, by name."""
    assert not plan.problems, plan.problems
    return {change.name: change for change in plan.changes if change.action is not Action.KEEP}


def test_changed_by_hand(whole: Engine) -> None:
    """Each changed field is shown with AWS's value and the wanted one; one deployment repairs them all."""
    gateway = whole.client("bedrock-agentcore-control").get_gateway(gatewayIdentifier=whole.id_of("gateway"))
    whole.client("bedrock-agentcore-control").update_gateway(
        gatewayIdentifier=gateway["gatewayId"],
        description="changed by hand",
        **{key: gateway[key] for key in ("name", "roleArn", "protocolType", "authorizerType", "authorizerConfiguration")},
    )
    whole.client("s3").delete_bucket_policy(Bucket=whole.id_of("bucket"))
    whole.client("iam").put_role_policy(RoleName=whole.id_of("instance_role"), PolicyName="more", PolicyDocument=_ANYTHING)
    group = whole.id_of("security_group")
    whole.client("ec2").authorize_security_group_ingress(
        GroupId=group, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    )
    plan = whole.plan()
    changed = changes(plan)
    assert set(changed) == {"gateway", "bucket", "instance_role", "security_group"}
    assert {change.action for change in changed.values()} == {Action.UPDATE}
    assert Difference("description", "changed by hand", "SRE assistant tools") in changed["gateway"].differences
    whole.deploy(plan)


@pytest.mark.parametrize("lost", [False, True])
def test_deleted_by_hand(whole: Engine, lost: bool) -> None:
    """A deleted resource is created again with its dependents, and everything else is kept, with or without the state file."""
    before = {name: whole.id_of(name) for name in ("user_pool", "bucket", "gateway", "instance", "address")}
    whole.client("s3").delete_object(Bucket=before["bucket"], Key=whole.id_of("release").partition("/")[2])
    target = whole.id_of("target_logs").partition("/")[2]
    whole.client("bedrock-agentcore-control").delete_gateway_target(gatewayIdentifier=before["gateway"], targetId=target)
    pool, _, client = whole.id_of("caller_client").partition("/")
    whole.client("cognito-idp").delete_user_pool_client(UserPoolId=pool, ClientId=client)
    if lost:
        whole.forget()
    plan = whole.plan()
    actions = {name: change.action for name, change in changes(plan).items()}
    assert (actions["release"], actions["caller_client"]) == (Action.CREATE, Action.CREATE)
    assert Action.DELETE not in actions.values()
    whole.deploy(plan)
    after = {name: whole.id_of(name) for name in before}
    assert {name for name in before if before[name] != after[name]} <= {"instance"}


def test_changed_tags(whole: Engine) -> None:
    """Another value of `tags:` updates everything that has tags and replaces nothing; a tag that AWS lost or got by hand is repaired."""
    before = {item.name: whole.id_of(item.name) for item in whole.wanted}
    whole.sections["tags"] = {"team": "blue", "cost-centre": "7"}
    plan = whole.plan()
    assert set(changes(plan)) == {item.name for item in whole.wanted if item.resource.MOST_TAGS}
    assert {(change.action, change.differences) for change in changes(plan).values()} == {
        (Action.UPDATE, (Difference("tags", "team=red", "cost-centre=7, team=blue"),))
    }
    assert not whole.apply(plan).problems
    assert {item.name: whole.id_of(item.name) for item in whole.wanted} == before
    whole.client("ec2").delete_tags(Resources=[before["security_group"]], Tags=[{"Key": "team"}])
    whole.client("iam").tag_role(RoleName=before["gateway_role"], Tags=[{"Key": "owner", "Value": "somebody"}])
    plan = whole.plan()
    assert {name: change.action for name, change in changes(plan).items()} == {
        "security_group": Action.UPDATE,
        "gateway_role": Action.UPDATE,
    }
    whole.deploy(plan)
    volume = whole.client("ec2").describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [before["instance"]]}])
    assert {"Key": "team", "Value": "blue"} in volume["Volumes"][0]["Tags"]


def test_stopped_by_hand(engine: Engine) -> None:
    """The plan says that the instance is stopped, and a deployment starts the same one again."""
    engine.parts = ("instance",)
    engine.deploy()
    instance = engine.id_of("instance")
    engine.client("ec2").stop_instances(InstanceIds=[instance])
    plan = engine.plan()
    assert [(change.name, change.action, change.differences) for change in changes(plan).values()] == [
        ("instance", Action.UPDATE, (Difference("instance_state", "stopped", "running"),))
    ]
    engine.deploy(plan)
    assert engine.id_of("instance") == instance


def test_a_newer_official_image(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A running instance keeps its image when a newer one appears; another operating system replaces it."""
    monkeypatch.setenv("SRE_AGENT_STATE_DIR", str(engine.folder))
    newest = engine.site.image_id
    older = next(image["ImageId"] for image in engine.client("ec2").describe_images()["Images"] if image["ImageId"] != newest)
    engine.parts, engine.site = ("instance",), dataclasses.replace(engine.site, image_id=older)
    engine.deploy()

    def image(**deployment: str) -> str:
        config = Config.model_validate({"mode": "local", "name": engine.name, "deployment": deployment})
        return look_up_facts(config, Account(engine.aws), engine.state).image_id

    assert image() == older
    assert image(operating_system="ubuntu-22.04") not in (older, newest)
    assert image(ami_id="ami-0a1b2c3d4e5f60718") == "ami-0a1b2c3d4e5f60718"
    engine.sections["deployment"] = {"operating_system": "ubuntu-22.04"}
    [replaced] = [change for change in engine.plan().changes if change.action is Action.REPLACE]
    assert (replaced.name, replaced.because) == ("instance", "operating_system can't be changed in place")

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
from sre_agent_deploy.plan import Action, Difference

_ANYTHING = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'


@pytest.fixture(scope="module")
def engine(unbooted: EmbeddedAws, site: AccountFacts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One deployment for all: each test ends with a deployment that has nothing left to do."""
    engine = Engine(unbooted, site, tmp_path_factory.mktemp("drift"))
    yield engine
    engine.discard()


def test_changed_by_hand(engine: Engine) -> None:
    """Each changed field is shown with AWS's value and the wanted one; one deployment repairs them all."""
    engine.deploy()
    gateway = engine.client("bedrock-agentcore-control").get_gateway(gatewayIdentifier=engine.id_of("gateway"))
    engine.client("bedrock-agentcore-control").update_gateway(
        gatewayIdentifier=gateway["gatewayId"],
        description="changed by hand",
        **{key: gateway[key] for key in ("name", "roleArn", "protocolType", "authorizerType", "authorizerConfiguration")},
    )
    engine.client("s3").delete_bucket_policy(Bucket=engine.id_of("bucket"))
    engine.client("iam").put_role_policy(RoleName=engine.id_of("instance_role"), PolicyName="more", PolicyDocument=_ANYTHING)
    group = engine.id_of("security_group")
    engine.client("ec2").authorize_security_group_ingress(
        GroupId=group, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    )
    plan = engine.plan()
    changed = {change.name: change for change in plan.changes if change.action is not Action.KEEP}
    assert set(changed) == {"gateway", "bucket", "instance_role", "security_group"}
    assert {change.action for change in changed.values()} == {Action.UPDATE}
    assert Difference("description", "changed by hand", "SRE assistant tools") in changed["gateway"].differences
    engine.deploy()


@pytest.mark.parametrize("lost", [False, True])
def test_deleted_by_hand(engine: Engine, lost: bool) -> None:
    """A deleted resource is created again with its dependents, and everything else is kept, with or without the state file."""
    engine.deploy()
    before = {name: engine.id_of(name) for name in ("user_pool", "bucket", "gateway", "instance", "address")}
    engine.client("s3").delete_object(Bucket=before["bucket"], Key=engine.id_of("release").partition("/")[2])
    target = engine.id_of("target_logs").partition("/")[2]
    engine.client("bedrock-agentcore-control").delete_gateway_target(gatewayIdentifier=before["gateway"], targetId=target)
    pool, _, client = engine.id_of("caller_client").partition("/")
    engine.client("cognito-idp").delete_user_pool_client(UserPoolId=pool, ClientId=client)
    if lost:
        engine.forget()
    changes = engine.changes()
    assert (changes["release"], changes["caller_client"]) == (Action.CREATE, Action.CREATE)
    assert Action.DELETE not in changes.values()
    engine.deploy()
    after = {name: engine.id_of(name) for name in before}
    assert {name for name in before if before[name] != after[name]} <= {"instance"}


def test_changed_tags(engine: Engine) -> None:
    """Another value of `tags:` updates everything that has tags and replaces nothing; a tag that AWS lost or got by hand is repaired."""
    engine.sections["tags"] = {"team": "red"}
    engine.deploy()
    before = {item.name: engine.id_of(item.name) for item in engine.wanted}
    engine.sections["tags"] = {"team": "blue", "cost-centre": "7"}
    changes = {change.name: change for change in engine.plan().changes if change.action is not Action.KEEP}
    assert set(changes) == {item.name for item in engine.wanted if item.resource.MOST_TAGS}
    assert {(change.action, change.differences) for change in changes.values()} == {
        (Action.UPDATE, (Difference("tags", "team=red", "cost-centre=7, team=blue"),))
    }
    engine.deploy()
    assert {item.name: engine.id_of(item.name) for item in engine.wanted} == before
    engine.client("ec2").delete_tags(Resources=[before["security_group"]], Tags=[{"Key": "team"}])
    engine.client("iam").tag_role(RoleName=before["gateway_role"], Tags=[{"Key": "owner", "Value": "somebody"}])
    assert engine.changes() == {"security_group": Action.UPDATE, "gateway_role": Action.UPDATE}
    engine.deploy()
    volume = engine.client("ec2").describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [before["instance"]]}])
    assert {"Key": "team", "Value": "blue"} in volume["Volumes"][0]["Tags"]


def test_stopped_by_hand(engine: Engine) -> None:
    """The plan says that the instance is stopped, and a deployment starts the same one again."""
    engine.deploy()
    instance = engine.id_of("instance")
    engine.client("ec2").stop_instances(InstanceIds=[instance])
    changes = [change for change in engine.plan().changes if change.action is not Action.KEEP]
    assert [(change.name, change.action, change.differences) for change in changes] == [
        ("instance", Action.UPDATE, (Difference("instance_state", "stopped", "running"),))
    ]
    engine.deploy()
    assert engine.id_of("instance") == instance


def test_outbound_rules_changed_by_hand(engine: Engine) -> None:
    """A rule that was added is revoked, and the one that was revoked is added."""
    engine.deploy()
    group = engine.id_of("security_group")
    everywhere = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    database = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "192.0.2.0/24"}]}
    engine.client("ec2").revoke_security_group_egress(GroupId=group, IpPermissions=[everywhere])
    engine.client("ec2").authorize_security_group_egress(GroupId=group, IpPermissions=[database])
    [change] = [change for change in engine.plan().changes if change.action is not Action.KEEP]
    assert (change.name, [difference.field for difference in change.differences]) == ("security_group", ["egress"])
    engine.deploy()


def test_a_newer_official_image(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A running instance keeps its image when a newer one appears; another operating system replaces it."""
    monkeypatch.setenv("SRE_AGENT_STATE_DIR", str(engine.folder))
    site, newest = engine.site, engine.site.image_id
    older = next(image["ImageId"] for image in engine.client("ec2").describe_images()["Images"] if image["ImageId"] != newest)
    engine.site = dataclasses.replace(engine.site, image_id=older)
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
    engine.site, engine.sections["deployment"] = site, {}
    engine.deploy()

"""A resource that has the deployment's tag and is not in its state is shown, and nothing is created beside it."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.engine import Engine
from sre_agent_deploy.plan import Action
from sre_agent_deploy.resource import DEPLOYMENT_TAG, NAME_TAG


@pytest.fixture
def deployed(engine: Engine) -> Engine:
    engine.parts = ("instance", "address", "user_pool", "target_logs", "caller_client")
    engine.deploy()
    return engine


def _tags(engine: Engine, name: str) -> list[Any]:
    return [{"Key": key, "Value": value} for key, value in {DEPLOYMENT_TAG: engine.id, NAME_TAG: name}.items() if value]


def _pool(engine: Engine, name: str) -> str:
    tags = {tag["Key"]: tag["Value"] for tag in _tags(engine, name)}
    return str(engine.client("cognito-idp").create_user_pool(PoolName="another", UserPoolTags=tags)["UserPool"]["Id"])


def _address(engine: Engine, name: str) -> str:
    tagged = [{"ResourceType": "elastic-ip", "Tags": _tags(engine, name)}]
    return str(engine.client("ec2").allocate_address(Domain="vpc", TagSpecifications=tagged)["AllocationId"])


def _instance(engine: Engine, name: str) -> str:
    tagged = [{"ResourceType": "instance", "Tags": _tags(engine, name)}]
    place = {"ImageId": engine.site.image_id, "InstanceType": "t3.micro", "SubnetId": engine.site.subnet_id}
    ran = engine.client("ec2").run_instances(MinCount=1, MaxCount=1, TagSpecifications=tagged, **place)
    return str(ran["Instances"][0]["InstanceId"])


def _client(engine: Engine) -> str:
    pool = engine.id_of("user_pool")
    made = engine.client("cognito-idp").create_user_pool_client(UserPoolId=pool, ClientName=f"{engine.id}-caller")
    return f"{pool}/{made['UserPoolClient']['ClientId']}"


def test_a_second_one_of_each(deployed: Engine) -> None:
    """Each is named with its age; it is neither used nor deleted, with any name in its tag; what the user put into our resources is
    not ours."""
    names = {"pool": "user_pool", "address": "address", "instance": "instance"}
    made = {
        _pool(deployed, names["pool"]),
        _pool(deployed, ""),
        _address(deployed, names["address"]),
        _instance(deployed, names["instance"]),
        _instance(deployed, "no-such-name"),
        _client(deployed),
    }
    own = deployed.client("cognito-idp").create_user_pool_client(UserPoolId=deployed.id_of("user_pool"), ClientName="the-users-own")
    assert own
    plan = deployed.plan()
    assert {extra.context["id"] for extra in plan.extras} == made
    assert not plan.nothing_to_do
    assert {change.action for change in plan.changes} == {"keep"}
    said = next(extra for extra in plan.extras if "another" not in extra.what and "AWS::Cognito::UserPool," in extra.what)
    assert "ago" in said.what


def test_a_lost_state_and_a_removed_name_tag(deployed: Engine) -> None:
    """A resource that can't be recognised any more is shown instead of created a second time."""
    address = deployed.id_of("address")
    deployed.client("ec2").delete_tags(Resources=[address], Tags=[{"Key": NAME_TAG}])
    assert [change.name for change in deployed.plan().changes if change.action is not Action.KEEP] == ["address"]
    deployed.forget()
    plan = deployed.plan()
    assert [extra.context["id"] for extra in plan.extras] == [address]
    assert "without a name tag" in plan.extras[0].what

"""Manual changes and deletions are found, shown field by field, and repaired; resources of others are not changed."""

from __future__ import annotations

import pytest

from fixtures.engine import Engine
from sre_agent_deploy.plan import Action, Difference

_ANYTHING = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'


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

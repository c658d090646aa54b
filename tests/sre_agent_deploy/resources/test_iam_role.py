"""IAM roles: exactly the permissions that are declared, for exactly one service."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fixtures.answered import refused_once
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.engine.delete import delete_resource
from sre_agent_deploy.later import Text
from sre_agent_deploy.resources.iam_instance_profile import InstanceProfile
from sre_agent_deploy.resources.iam_role import IamRole
from sre_agent_deploy.resources.policy_document import Statement

from .conftest import Marked
from .life import check_life_cycle, check_repair, configure, create, delete, drift, refused

MANAGED = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"


def role(deployment: str, **changed: Any) -> IamRole:
    declared: dict[str, Any] = {
        "name": "gateway_role",
        "role_name": f"{deployment}-gateway",
        "path": f"/sre-agent/{deployment}/",
        "service": "bedrock-agentcore.amazonaws.com",
        "trust_conditions": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
        "statements": (
            Statement("ReadFiles", ("s3:GetObject",), ("arn:aws:s3:::files/*",)),
            Statement("WriteLogs", ("logs:PutLogEvents",), ("arn:aws:logs:*:*:log-group:sre",), {"Bool": {"aws:SecureTransport": "true"}}),
        ),
        "managed_policies": (MANAGED,),
    }
    return IamRole(**declared | changed)


def profile(deployment: str, role_name: str) -> InstanceProfile:
    return InstanceProfile(name="profile", profile_name=f"{deployment}-instance", path=f"/sre-agent/{deployment}/", role_name=role_name)


def test_a_role_from_creation_to_deletion(aws: Aws, marked: Marked, deployment: str) -> None:
    """It is made as declared, found under the deployment's path, and goes with its policies."""
    check_life_cycle(aws, role(deployment), marked("gateway_role"))


def test_a_role_that_iam_still_counts_as_used(aws: Aws, marked: Marked, deployment: str) -> None:
    """IAM may still count a detached policy: it is detached again, and the role's deletion repeated until it succeeds."""
    declared = role(deployment)
    id = create(aws, declared, marked("gateway_role"))
    with refused_once(aws.client("iam"), "DeleteRole", "DeleteConflict", 409):
        assert delete_resource(aws, IamRole, id, declared.name, deployment) is None
    assert IamRole.read(aws, id, declared.name) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"service": "ec2.amazonaws.com", "trust_conditions": {}},
        {
            "statements": (Statement("ReadFiles", ("s3:GetObject",), ("arn:aws:s3:::others/*",)),),
            "managed_policies": ("arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy", MANAGED),
        },
        {"statements": (), "managed_policies": ()},
        {"permissions_boundary": "arn:aws:iam::aws:policy/PowerUserAccess"},
    ],
    ids=["trust", "more", "nothing", "boundary"],
)
def test_a_role_that_differs(aws: Aws, marked: Marked, deployment: str, changed: dict[str, Any]) -> None:
    """Trust, boundary, inline policy and managed policies become what is declared, more or less than before."""
    declared = role(deployment, permissions_boundary="arn:aws:iam::aws:policy/ReadOnlyAccess")
    id = create(aws, declared, marked(declared.name))
    check_repair(aws, declared, id, **changed)
    delete(aws, declared, id, deployment)


def test_a_policy_that_was_added_by_hand(aws: Aws, marked: Marked, deployment: str) -> None:
    """An inline policy that is not declared shows as a difference, and is removed."""
    declared = role(deployment)
    id = create(aws, declared, marked(declared.name))
    wide = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    aws.client("iam").put_role_policy(RoleName=id, PolicyName="added-by-hand", PolicyDocument=json.dumps(wide))
    assert [entry.field for entry in drift(aws, declared, id)] == ["statements"]
    configure(aws, declared, id)
    assert drift(aws, declared, id) == ()
    delete(aws, declared, id, deployment)


def test_a_trust_policy_that_was_widened_by_hand(aws: Aws, marked: Marked, deployment: str) -> None:
    """A second principal in the trust policy is a difference, though the first is still there."""
    declared = role(deployment)
    id = create(aws, declared, marked(declared.name))
    trust: Any = aws.client("iam").get_role(RoleName=id)["Role"]["AssumeRolePolicyDocument"]
    trust["Statement"].append({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::210987654321:root"}, "Action": "sts:AssumeRole"})
    aws.client("iam").update_assume_role_policy(RoleName=id, PolicyDocument=json.dumps(trust))
    assert {entry.field for entry in drift(aws, declared, id)} == {"service", "trust_conditions"}
    configure(aws, declared, id)
    assert drift(aws, declared, id) == ()
    delete(aws, declared, id, deployment)


def test_a_boundary_that_is_gone(aws: Aws, marked: Marked, deployment: str) -> None:
    """A role is not made without the boundary that was asked for."""
    gone = role(deployment, permissions_boundary="arn:aws:iam::123456789012:policy/gone")
    assert refused(aws, gone, marked(gone.name)).code == "IAM-BOUNDARY-NOT-FOUND"
    assert IamRole.read(aws, gone.role_name, gone.name) is None


def test_a_name_that_is_taken(aws: Aws, marked: Marked, deployment: str) -> None:
    """The role that has the name stays, and the Problem says how to go on."""
    declared = role(deployment)
    create(aws, declared, marked(declared.name))
    assert refused(aws, declared, marked(declared.name)).code == "IAM-NAME-TAKEN"
    delete(aws, declared, declared.role_name, deployment)


def test_an_instance_profile_from_creation_to_deletion(aws: Aws, marked: Marked, deployment: str) -> None:
    """It holds its one role, takes another one when that is declared, and can be deleted while it holds it."""
    first, second = role(deployment), role(deployment, role_name=f"{deployment}-other")
    first_id, second_id = create(aws, first, marked("first")), create(aws, second, marked("second"))
    declared = profile(deployment, first_id)
    check_life_cycle(aws, declared, marked("profile"))
    id = create(aws, declared, marked(declared.name))
    check_repair(aws, declared, id, role_name=second_id)
    assert refused(aws, declared, marked(declared.name)).code == "IAM-NAME-TAKEN"
    delete(aws, declared, id, deployment)
    delete(aws, first, first_id, deployment)
    delete(aws, second, second_id, deployment)


def test_a_role_in_an_instance_profile(aws: Aws, marked: Marked, deployment: str) -> None:
    """Deleting a role takes it out of the profile first, which IAM asks for."""
    declared = role(deployment)
    id = create(aws, declared, marked(declared.name))
    holder = profile(deployment, id)
    create(aws, holder, marked("profile"))
    delete(aws, declared, id, deployment)
    delete(aws, holder, holder.profile_name, deployment)


def test_the_guide_says_why_a_statement_allows_any_resource(deployment: str) -> None:
    """The exact policies are in the guide, with values to come by their name and with the reason for each star."""
    reason = "AWS allows no narrower resource for this action"
    open_ended = Statement("SendMetrics", ("cloudwatch:PutMetricData",), ("*",), any_resource_because=reason)
    later = Statement("ReadFiles", ("s3:GetObject",), (Text(("arn:aws:s3:::", "files")),))
    steps = "\n".join(role(deployment, statements=(open_ended, later)).console())
    assert f"SendMetrics allows any resource: {reason}" in steps
    assert '"arn:aws:s3:::files"' in steps

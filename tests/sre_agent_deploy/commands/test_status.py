"""`list` shows the deployments of an account, and what is seen of each."""

from __future__ import annotations

import pytest

from fixtures.cut import refused
from fixtures.engine import Engine
from sre_agent_deploy.commands.sweep import look_at
from sre_agent_deploy.deployment_tags import TTL_RESOURCE
from sre_agent_deploy.engine.inventory import list_deployments
from sre_agent_deploy.resource import DEPLOYMENT_TAG


@pytest.mark.parametrize(
    "parts",
    [("backend_key",), ("bucket",), ("address",), ("user_pool",), ("security_group",), ("instance_profile",), ("credential_provider",)],
)
def test_any_remaining_resource_shows_its_deployment(engine: Engine, parts: tuple[str, ...]) -> None:
    """Each kind that a killed run may leave behind alone is found, by its tags, its name or its path."""
    engine.parts = parts
    engine.deploy()
    assert engine.id in list_deployments(engine.aws).ids
    seen = look_at(engine.aws, engine.id, {}, "")
    assert seen
    assert set(parts) <= {part.name for part in seen.parts}
    assert engine.cleanup().deleted
    assert look_at(engine.aws, engine.id, {}, "") is None


def test_tags_that_are_not_ours(engine: Engine) -> None:
    """A value that this tool never gives as an id shows no deployment."""
    made = engine.client("ec2").allocate_address(
        TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": [{"Key": DEPLOYMENT_TAG, "Value": "everything"}]}]
    )
    assert "everything" not in list_deployments(engine.aws).ids
    engine.client("ec2").release_address(AllocationId=made["AllocationId"])


@pytest.mark.parametrize(
    ("service", "operation", "matters"),
    [("secretsmanager", "ListSecrets", True), ("ec2", "DescribeInstances", True), ("budgets", "DescribeBudgets", False)],
)
def test_a_listing_that_is_refused(engine: Engine, service: str, operation: str, matters: bool) -> None:
    """A part that can't be read might say that the rest is permanent; the account's costs don't."""
    engine.parts = (TTL_RESOURCE, "address")
    engine.deploy()
    with refused(engine.aws, service, operation):
        seen = look_at(engine.aws, engine.id, {}, "")
    assert seen
    assert bool(seen.unseen) is matters


def test_a_way_to_find_deployments_that_is_refused(engine: Engine) -> None:
    """It is reported, and the others are used."""
    engine.parts = ("address",)
    engine.deploy()
    with refused(engine.aws, "resourcegroupstaggingapi", "GetResources"):
        shown = list_deployments(engine.aws)
    assert engine.id in shown.ids
    assert [problem.code for problem in shown.problems] == ["AWS-ACCESS-DENIED"]

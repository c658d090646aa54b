"""`limits.instances`: the maximal number of machines of all deployments in an account and region."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fixtures.embedded import EmbeddedAws
from sre_agent_deploy.account import deployment_id
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.checks.preflight.instance import InstanceCountFacts, InstancesWithinLimit
from sre_agent_deploy.checks.suite import stops_deployment
from sre_agent_deploy.resource import DEPLOYMENT_TAG, GENERATION_TAG

from .conftest import Preflight

type Run = Callable[..., str]


@pytest.fixture
def run(embedded: EmbeddedAws) -> Iterator[Run]:
    """Starts an instance with tags, and ends all of them with the test."""
    ec2, started = embedded.client("ec2"), list[str]()
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]

    def instance(**tags: str) -> str:
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        made = ec2.run_instances(
            ImageId=image,
            InstanceType="t3.xlarge",
            MinCount=1,
            MaxCount=1,
            TagSpecifications=[{"ResourceType": "instance", "Tags": listed}] if listed else [],
        )
        started.append(made["Instances"][0]["InstanceId"])
        return started[-1]

    yield instance
    if started:
        ec2.terminate_instances(InstanceIds=started)


def of(deployment: str, generation: int = 1) -> dict[str, str]:
    return {DEPLOYMENT_TAG: deployment, GENERATION_TAG: str(generation)}


def test_instances_of_other_deployments(check: Preflight, run: Run, embedded: EmbeddedAws) -> None:
    """A stopped instance counts; a terminated or a foreign one does not. The problem names those that count, and what to do."""
    one, other = f"sre-{secrets.token_hex(5)}", f"sre-{secrets.token_hex(5)}"
    run(**of(one))
    embedded.client("ec2").stop_instances(InstanceIds=[run(**of(other))])
    embedded.client("ec2").terminate_instances(InstanceIds=[run(**of(f"sre-{secrets.token_hex(5)}"))])
    run()
    assert check(limits={"instances": 3})["limits.instances"].status == "passed"
    refused = check(limits={"instances": 2})
    assert stops_deployment(tuple(refused.values()))
    problem = refused["limits.instances"].problem
    assert problem and problem.code == "LIMIT-INSTANCES"
    assert one in problem.why
    assert other in problem.why
    assert f"--deployment-id {min(one, other)}" in problem.do[0]


def test_the_instance_of_this_deployment(check: Preflight, run: Run, aws: Aws) -> None:
    """It counts as one: before it is created, after that, and while an update has a second one beside it."""
    own = deployment_id(aws.account_id, aws.region, "preflight")
    for generation in (1, 2):
        assert check(limits={"instances": 1})["limits.instances"].status == "passed"
        run(**of(own, generation))
    assert check(limits={"instances": 1})["limits.instances"].status == "passed"


def test_no_limit(check: Preflight) -> None:
    """Without a limit nothing is counted."""
    assert "limits.instances" not in check()


@pytest.mark.parametrize(("others", "limit", "holds"), [(0, 1, True), (1, 1, False), (2, 3, True), (3, 3, False)])
def test_judging_the_limit(others: int, limit: int, holds: bool) -> None:
    """This deployment's own is one of them."""
    facts: Any = InstanceCountFacts("us-east-1", "sre-0000000000", tuple(f"sre-000000000{number + 1}" for number in range(others)), limit)
    assert InstancesWithinLimit().judge(facts).holds is holds

"""No capacity for an instance: the fallbacks of the configuration are tried in order, and the one that was taken is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fixtures.engine import Engine
from sre_agent_deploy.plan import Action

type Faults = Callable[..., None]

SOLD_OUT = {"kind": "capacity", "instance_type": "t3.*"}
NO_M6I_IN_A = {"kind": "unsupported", "instance_type": "m6i.*", "zone": "us-east-1a"}


@pytest.fixture
def machine(engine: Engine) -> Engine:
    """A deployment of the machine alone: t3.xlarge, else m6i.xlarge in the same zone, else in the next."""
    engine.parts = ("instance",)
    fallbacks = [{"instance_type": "m6i.xlarge"}, {"instance_type": "m6i.xlarge", "availability_zone": "us-east-1b"}]
    engine.sections = {"deployment": {"instance_type": "t3.xlarge", "fallbacks": fallbacks}}
    return engine


def machines(engine: Engine) -> list[tuple[str, str]]:
    """Type and zone of each machine of the deployment that runs."""
    mine: Any = [{"Name": "tag:sre-agent:deployment-id", "Values": [engine.id]}, {"Name": "instance-state-name", "Values": ["running"]}]
    found = engine.client("ec2").describe_instances(Filters=mine)["Reservations"]
    return [(each["InstanceType"], each["Placement"]["AvailabilityZone"]) for group in found for each in group["Instances"]]


def test_the_first_place_with_capacity_is_taken_and_kept(machine: Engine, faults: Faults) -> None:
    """The next plan is empty also where the state is lost, an update begins with the kept place, and another wish ends it."""
    faults(SOLD_OUT, NO_M6I_IN_A)
    machine.deploy()
    assert machines(machine) == [("m6i.xlarge", "us-east-1b")]
    said = [event.what for event in machine.observed if event.name == "instance" and event.step == "waiting"]
    assert ["m6i.xlarge in subnet-" in line for line in said] == [True, True]
    record = machine.state.current("instance") if machine.state else None
    assert record
    assert (record.outputs["instance_type"], record.outputs["subnet_id"]) == ("m6i.xlarge", machine.site.zones["us-east-1b"])
    assert record.outputs["instead_of"] == f"t3.xlarge in {machine.site.subnet_id}"
    machine.forget()
    assert machine.changes() == {}

    faults()
    machine.sections["deployment"]["volume_gb"] = 60
    machine.deploy()
    assert machines(machine) == [("m6i.xlarge", "us-east-1b")]

    machine.sections["deployment"]["instance_type"] = "m5.xlarge"
    plan = machine.plan()
    assert plan.change("instance").action is Action.REPLACE
    machine.deploy(plan)
    assert machines(machine) == [("m5.xlarge", "us-east-1a")]


def test_no_place_has_capacity(machine: Engine, faults: Faults) -> None:
    """The first refusal is shown, with its code and advice, and nothing was launched."""
    faults({"kind": "capacity"})
    problems = machine.apply().problems
    assert [problem.code for problem in problems] == ["INSTANCE-CAPACITY"]
    assert "t3.xlarge" in problems[0].what
    assert machines(machine) == []


def test_a_launch_elsewhere_whose_answer_is_lost(machine: Engine, faults: Faults) -> None:
    """It is looked up for as long as EC2 may hide it: capacity that is back meanwhile makes no second machine."""
    machine.sections["retries"] = {"transient": "1s"}
    faults(SOLD_OUT, {"kind": "cut", "operation": "RunInstances", "committed": True}, {"kind": "lag", "service": "ec2", "seconds": 2})
    machine.apply()
    faults({"kind": "lag", "service": "ec2", "seconds": 2})
    assert machine.apply().problems == ()
    assert [type_ for type_, _ in machines(machine)] == ["m6i.xlarge"]
    assert machine.changes() == {}

"""A machine reports its boot: by the bootstrap of a real one, or by the instance host. The deployer reads both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from embedded_aws.instances.progress import Progress as HostProgress
from embedded_aws.instances.progress import StepFailed as HostFailed
from sre_agent_deploy.instance.steps import BootReport as BootstrapProgress
from sre_agent_deploy.instance.steps import StepFailed as BootstrapFailed
from sre_agent_deploy.resource import Ready, Waiting
from sre_agent_deploy.resources.ec2_boot import STEPS, Status, judge_boot, private_url
from sre_core.problem import Problem
from sre_core.secret import Secret

URI = "s3://bucket/status/instance-1/"
SECRET = "drawn-for-this-test"
LISTENERS = [{"port": 443, "address": "10.0.0.7", "actual_port": 8443}]


class Bucket:
    """Keeps what either writes, under the key that S3 would have."""

    def __init__(self) -> None:
        self.objects: dict[str, str] = {}

    def put_s3_object(self, uri: str, body: bytes) -> None:
        self.objects[uri] = body.decode()

    def put_object(self, uri: str, body: str) -> None:
        self.objects[uri] = body

    def status(self, step: str) -> Status:
        return Status.parse(step, self.objects[f"{URI}{step}.json"])


def host(bucket: Any) -> Any:
    progress = HostProgress(bucket, URI)
    progress.conceal([Secret(SECRET)])
    return progress, HostFailed, lambda facts: facts.values


def bootstrap(bucket: Any) -> Any:
    progress = BootstrapProgress(bucket, URI)
    progress.conceal(SECRET)
    return progress, BootstrapFailed, lambda facts: facts


@pytest.fixture(params=[host, bootstrap])
def machine(request: pytest.FixtureRequest) -> tuple[Bucket, Any, type[Exception], Callable[[Any], dict[str, object]]]:
    bucket = Bucket()
    return (bucket, *request.param(bucket))


def test_a_boot_that_succeeds(machine: Any) -> None:
    """Each step is seen while it runs and when it ends; the last one says that the machine works, and where it listens."""
    bucket, progress, _, facts_of = machine
    for step in STEPS:
        with progress.step(step) as facts:
            assert isinstance(judge_boot("i-1", bucket.status(step)), Waiting)
            if step == STEPS[-1]:
                facts_of(facts)["listeners"] = LISTENERS
    assert isinstance(judge_boot("i-1", bucket.status(STEPS[-1])), Ready)
    assert private_url(bucket.status(STEPS[-1])) == "https://10.0.0.7:8443"


def test_a_step_that_fails(machine: Any) -> None:
    """The deployer learns which, why, and the end of the output without its secrets."""
    bucket, progress, failed, _ = machine
    with pytest.raises(failed), progress.step("services"):
        raise failed("The service logs did not start.", f"Traceback ...\nkey={SECRET}\n")
    problem = judge_boot("i-1", bucket.status("services"))
    assert isinstance(problem, Problem)
    assert "services: The service logs did not start." in problem.what
    assert "key=***" in problem.why
    assert SECRET not in str(bucket.objects)


def test_a_fault_of_ours(machine: Any) -> None:
    """It is reported as well before it is raised: no deployment waits for a machine that has failed."""
    bucket, progress, _, _ = machine
    with pytest.raises(ZeroDivisionError), progress.step("release"):
        _ = 1 // 0
    assert isinstance(judge_boot("i-1", bucket.status("release")), Problem)

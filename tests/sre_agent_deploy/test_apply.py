"""An update exists beside the old machine until it is ready; after an interruption at any place the next run continues."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from fixtures.answered import refused_once
from fixtures.cut import MOMENTS, Cut, cut_at, no_mutation
from fixtures.engine import Engine
from fixtures.sample import sample
from sre_agent_deploy.plan import Action
from sre_agent_deploy.progress import Stop, ignore_event

CUTS = [
    ("RunInstances", "committed", "resume"),
    ("RunInstances", "committed", "reverted"),
    ("RunInstances", "committed", "lost"),
    ("AssociateAddress", "before", "reverted"),
    ("AssociateAddress", "before", "cleanup"),
    ("TerminateInstances", "before", "resume"),
]


def _instances(engine: Engine) -> list[str]:
    filters = [
        {"Name": "tag:sre-agent:deployment-id", "Values": [engine.id]},
        {"Name": "instance-state-name", "Values": ["pending", "running"]},
    ]
    reservations = engine.client("ec2").describe_instances(Filters=filters)["Reservations"]
    return [instance["InstanceId"] for entry in reservations for instance in entry["Instances"]]


def _report_failed_boot(engine: Engine, instance_id: str) -> None:
    """Make a machine that reported ready report that its boot failed."""
    s3, bucket = engine.client("s3"), engine.client("s3").list_buckets()["Buckets"]
    [name] = [each["Name"] for each in bucket if each["Name"].startswith(engine.id)]
    status_uri = str(engine.wanted.item("instance").resource.status_uri)  # type: ignore[attr-defined]
    prefix = f"{status_uri.partition('>/')[2]}{instance_id}/"
    while f"{prefix}ready.json" not in {each["Key"] for each in s3.list_objects_v2(Bucket=name).get("Contents", [])}:
        time.sleep(0.02)
    s3.delete_object(Bucket=name, Key=f"{prefix}ready.json")
    s3.put_object(Bucket=name, Key=f"{prefix}front_door.json", Body=b'{"state": "failed", "what": "The port is taken."}')


def _serving(engine: Engine) -> str:
    [address] = engine.client("ec2").describe_addresses(AllocationIds=[engine.id_of("address")])["Addresses"]
    return str(address["InstanceId"])


@pytest.fixture(autouse=True)
def machine_alone(engine: Engine) -> None:
    """The machine with its address, and what they need."""
    engine.parts = ("address_association",)


def test_a_second_apply(engine: Engine) -> None:
    """It makes no mutating call, and saves nothing but the run itself."""
    engine.deploy()
    before = engine.state
    with no_mutation(engine.aws):
        engine.deploy()
    assert before
    assert engine.state
    assert before.records == engine.state.records


def test_an_update(engine: Engine) -> None:
    """Only what depends on the changed value is changed; the old machine is deleted once the new one serves."""
    engine.deploy()
    old = _serving(engine)
    engine.sections["deployment"] = {"volume_gb": 60}
    plan = engine.plan()
    changed = {change.name: change.action for change in plan.changes if change.action is not Action.KEEP}
    assert changed == {"instance": Action.REPLACE, "address_association": Action.UPDATE}
    engine.deploy(plan)
    assert _instances(engine) == [_serving(engine)]
    assert _serving(engine) != old


@pytest.mark.parametrize(("operation", "moment", "ending"), sample(CUTS, 2))
def test_an_update_that_was_cut_short(engine: Engine, operation: str, moment: str, ending: str) -> None:
    """Until the end the old machine serves. Resumed, reverted or without a state file: one machine is left, the wanted one."""
    engine.deploy()
    old = _serving(engine)
    engine.sections["deployment"] = {"volume_gb": 60}
    with pytest.raises(Cut), cut_at(engine.aws, operation, moment):
        engine.apply()
    assert old in _instances(engine)
    if operation != "TerminateInstances":
        assert _serving(engine) == old
    if ending == "reverted":
        engine.sections.clear()
    if ending == "lost":
        engine.forget()
    if ending == "cleanup":
        assert not engine.cleanup().problems
        assert _instances(engine) == []
        return
    engine.deploy()
    assert _instances(engine) == [_serving(engine)]
    assert (_serving(engine) == old) == (ending == "reverted")


@pytest.mark.parametrize(
    ("operation", "moment"), sample([("RunInstances", "committed"), ("RunInstances", "before"), ("AssociateAddress", "before")], 1)
)
def test_a_third_version_after_an_update_that_was_cut_short(engine: Engine, operation: str, moment: str) -> None:
    """The machine that is left is that of the third version, and not the one that the second had begun."""
    engine.deploy()
    engine.sections["deployment"] = {"volume_gb": 60}
    with pytest.raises(Cut), cut_at(engine.aws, operation, moment):
        engine.apply()
    engine.sections["deployment"] = {"volume_gb": 70}
    engine.deploy()
    assert _instances(engine) == [_serving(engine)]
    assert _volume_sizes(engine) == [70]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_third_release_after_an_update_that_was_cut_short(engine: Engine, moment: str) -> None:
    """The release that is left is the third: the object of the second, of which the journal knows no id, is not taken for it."""
    engine.parts = ("release",)
    engine.deploy()
    for version in (2, 3):
        engine.site = replace(engine.site, release=f"v{version}".encode(), release_sha256=f"{version}" * 64)
        if version == 2:
            with pytest.raises(Cut), cut_at(engine.aws, "PutObject", moment):
                engine.apply()
    engine.deploy()
    bucket = engine.id_of("bucket")
    keys = [entry["Key"] for entry in engine.client("s3").list_objects_v2(Bucket=bucket)["Contents"] if "/releases/" in entry["Key"]]
    assert [key.rpartition("/")[2] for key in keys] == [f"{'3' * 64}.zip"]


def _volume_sizes(engine: Engine) -> list[int]:
    """The sizes of the volumes of this deployment's instances, in GiB."""
    attached = [{"Name": "attachment.instance-id", "Values": _instances(engine)}]
    return [volume["Size"] for volume in engine.client("ec2").describe_volumes(Filters=attached)["Volumes"]]


def test_what_the_configuration_names_from_now_on(engine: Engine) -> None:
    """When the configuration names a resource, ours is deleted and the loss is shown; when it names none again, ours is created again."""
    engine.deploy()
    ours = engine.id_of("bucket")
    engine.client("s3").create_bucket(Bucket=f"{engine.name}-theirs")
    engine.sections["gateway"] = {"s3_bucket": f"{engine.name}-theirs"}
    plan = engine.plan()
    [deleted] = [change for change in plan.changes if change.action is Action.DELETE]
    assert (deleted.id, deleted.loses) == (ours, "data")
    engine.deploy(plan)
    assert ours not in [bucket["Name"] for bucket in engine.client("s3").list_buckets()["Buckets"]]
    engine.sections.clear()
    engine.deploy()
    assert engine.client("s3").list_objects_v2(Bucket=f"{engine.name}-theirs")["KeyCount"] == 0


def test_a_machine_whose_boot_has_failed(engine: Engine) -> None:
    """It will never work, so the next run replaces it, although the configuration has not changed."""
    engine.deploy()
    old = _serving(engine)
    _report_failed_boot(engine, old)
    plan = engine.plan()
    change = plan.change("instance")
    assert (change.action, change.because) == (Action.REPLACE, "its bootstrap failed at front_door")
    engine.deploy(plan)
    assert _instances(engine) == [_serving(engine)] != [old]


def test_an_update_whose_boot_failed_and_a_lost_state_file(engine: Engine) -> None:
    """The old machine is judged by its own reports: it still serves, and the next run keeps it and deletes the new one."""
    engine.deploy()
    old = _serving(engine)
    engine.sections["deployment"] = {"volume_gb": 60}
    with pytest.raises(Cut), cut_at(engine.aws, "RunInstances", "committed"):
        engine.apply()
    [new] = set(_instances(engine)) - {old}
    assert engine.state and [record.id for record in engine.state.generations("instance")][-1] == old
    assert len(engine.state.generations("instance")) == 2
    _report_failed_boot(engine, new)
    engine.forget()
    engine.sections.clear()
    engine.deploy()
    assert _instances(engine) == [_serving(engine)] == [old]


def test_a_deletion_that_aws_refuses(engine: Engine) -> None:
    """A resource that is no longer configured stays in the state until it is really gone."""
    engine.parts = ("user_pool", "address")
    engine.deploy()
    address = engine.id_of("address")
    engine.parts = ("user_pool",)
    with refused_once(engine.aws.client("ec2"), "ReleaseAddress", "AuthFailure"):
        outcome = engine.apply()
    assert outcome.problems
    assert engine.state and engine.state.current("address")
    assert engine.state.current("address").id == address  # type: ignore[union-attr]
    plan = engine.plan()
    assert [(change.name, change.action) for change in plan.changes if change.action is not Action.KEEP] == [("address", Action.DELETE)]
    engine.deploy(plan)
    assert engine.state and engine.state.current("address") is None


def test_a_stop_while_old_ones_go(engine: Engine) -> None:
    """The deletion under way is finished, nothing more is deleted, and the next run continues."""
    engine.parts = ("user_pool", "address", "gateway_role")
    engine.deploy()
    engine.parts = ("user_pool",)
    plan, stop = engine.plan(), engine.stop
    engine.watcher = lambda event: stop.request() if event.what.startswith("delete ") else None
    outcome = engine.apply(plan)
    assert [problem.code for problem in outcome.problems] == ["RUN-INTERRUPTED"]
    assert len([event for event in engine.observed if event.what.startswith("delete ") and event.step == "started"]) == 1
    engine.stop, engine.watcher = Stop(), ignore_event
    engine.deploy()

"""Judge the made-up resource type: run in a copy of the repository that has it, as `test_queue_walks.py`."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fixtures.engine import Engine
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.guide import export_cloudformation, guide
from sre_agent_deploy.commands.sweep import judge_deployment, look_at
from sre_agent_deploy.engine.inventory import list_deployments
from sre_agent_deploy.plan import Action
from sre_core import clock


@pytest.fixture
def with_queue(engine: Engine) -> Engine:
    engine.parts = ("queue", "backend_key")
    engine.sections["deployment"] = {"ttl": "1h"}
    return engine


def test_queue_is_planned_and_applied(with_queue: Engine) -> None:
    """It is created, found again without its state file, and repaired after a change by hand."""
    assert with_queue.changes()["queue"] is Action.CREATE
    with_queue.deploy()
    with_queue.forget()
    assert with_queue.changes() == {}
    with_queue.deploy()
    sqs = with_queue.client("sqs")
    url = sqs.get_queue_url(QueueName=with_queue.id_of("queue"))["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "60"})
    assert with_queue.changes() == {"queue": Action.UPDATE}
    with_queue.deploy()
    assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["DelaySeconds"] == "30"


def test_queue_is_cleaned_up(with_queue: Engine) -> None:
    """It goes with its deployment, by the state file and without one."""
    for lost in (False, True):
        with_queue.deploy()
        assert ("queue", "AWS::SQS::Queue") in _deleted(with_queue.cleanup(lost=lost))
        assert not _queues(with_queue)


def test_queue_is_swept(with_queue: Engine) -> None:
    """A sweep sees it, finds its deployment by its tag, and would delete it when its time is over."""
    with_queue.deploy()
    assert with_queue.id in list_deployments(with_queue.aws).ids
    seen = look_at(with_queue.aws, with_queue.id, {}, "")
    assert seen is not None
    assert "AWS::SQS::Queue" in {part.kind.KIND for part in seen.parts}
    assert judge_deployment(seen, clock.now() + timedelta(days=1), timedelta(hours=1)).delete


def test_queue_is_in_the_guide_and_the_template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both name it, with the values of the declaration."""
    monkeypatch.setenv("SRE_AGENT_STATE_DIR", str(tmp_path))
    config = tmp_path / "config.yaml"
    config.write_text("{version: 1, mode: local, name: sre}")
    assert "Amazon SQS > Queues > Create queue" in guide(Request(config_file=config))
    queue = json.loads(export_cloudformation(Request(config_file=config)))["Resources"]["Queue"]
    assert queue["Type"] == "AWS::SQS::Queue"
    assert queue["Properties"]["DelaySeconds"] == 30


def _deleted(cleaned: Any) -> set[tuple[str, str]]:
    return {(entry.name, entry.kind.KIND) for entry in cleaned.deleted}


def _queues(engine: Engine) -> list[str]:
    return [*engine.client("sqs").list_queues(QueueNamePrefix=engine.id).get("QueueUrls", ())]

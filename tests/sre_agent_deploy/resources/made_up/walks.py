"""What happens to the made-up resource type: run in a copy of the repository that has it, as `test_topic_walks.py`."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fixtures.engine import Engine
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.guide import guide
from sre_agent_deploy.commands.plan import export_cloudformation
from sre_agent_deploy.engine.inventory import list_deployments
from sre_agent_deploy.engine.staleness import judge_deployment, look_at
from sre_agent_deploy.plan import Action
from sre_core import clock


@pytest.fixture
def with_topic(engine: Engine) -> Engine:
    engine.parts = ("topic", "backend_key")
    engine.sections["deployment"] = {"ttl": "1h"}
    return engine


def test_topic_is_planned_and_applied(with_topic: Engine) -> None:
    """It is created, found again without its state file, and repaired where somebody changed it."""
    assert with_topic.changes()["topic"] is Action.CREATE
    with_topic.deploy()
    with_topic.forget()
    assert with_topic.changes() == {}
    with_topic.deploy()
    arn, sns = with_topic.id_of("topic"), with_topic.client("sns")
    sns.set_topic_attributes(TopicArn=arn, AttributeName="DisplayName", AttributeValue="by hand")
    assert with_topic.changes() == {"topic": Action.UPDATE}
    with_topic.deploy()
    assert sns.get_topic_attributes(TopicArn=arn)["Attributes"]["DisplayName"] == "SRE assistant"


def test_topic_is_cleaned_up(with_topic: Engine) -> None:
    """It goes with its deployment, by the state file and without one."""
    for lost in (False, True):
        with_topic.deploy()
        assert ("topic", "AWS::SNS::Topic") in _deleted(with_topic.cleanup(lost=lost))
        assert not _topics(with_topic)


def test_topic_is_swept(with_topic: Engine) -> None:
    """A sweep sees it, finds its deployment by its tag, and would delete it when its time is over."""
    with_topic.deploy()
    assert with_topic.id in list_deployments(with_topic.aws).ids
    seen = look_at(with_topic.aws, with_topic.id, {}, "")
    assert seen is not None
    assert "AWS::SNS::Topic" in {part.kind.KIND for part in seen.parts}
    assert judge_deployment(seen, clock.now() + timedelta(days=1), timedelta(hours=1)).delete


def test_topic_is_in_the_guide_and_the_template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both name it, with the values of the declaration."""
    monkeypatch.setenv("SRE_AGENT_STATE_DIR", str(tmp_path))
    config = tmp_path / "config.yaml"
    config.write_text("{version: 1, mode: local, name: sre}")
    assert "Amazon SNS > Topics > Create topic" in guide(Request(config_file=config))
    topic = json.loads(export_cloudformation(Request(config_file=config)))["Resources"]["Topic"]
    assert topic["Type"] == "AWS::SNS::Topic"
    assert topic["Properties"]["DisplayName"] == "SRE assistant"


def _deleted(cleaned: Any) -> set[tuple[str, str]]:
    return {(entry.name, entry.kind.KIND) for entry in cleaned.deleted}


def _topics(engine: Engine) -> list[str]:
    return [topic["TopicArn"] for topic in engine.client("sns").list_topics()["Topics"] if engine.id in topic["TopicArn"]]

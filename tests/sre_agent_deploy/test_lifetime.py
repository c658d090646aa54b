"""A temporary deployment is marked as such in AWS itself, until that is changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fixtures.cut import Cut, cut_at
from fixtures.engine import Engine
from sre_agent_deploy import deployment_tags
from sre_agent_deploy.plan import Action, Difference
from sre_agent_deploy.resource import DEPLOYMENT_TAG, GENERATION_TAG, NAME_TAG, TTL_TAG
from sre_core import duration

CREATED = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
OUTPUTS = {"created_at": "2026-11-22T12:00:00Z", "ttl": "24h"}


@pytest.fixture
def temporary(engine: Engine) -> Engine:
    """A small deployment with a lifetime, made."""
    engine.parts = ("backend_key", "address", "user_pool")
    engine.sections["deployment"] = {"ttl": "24h"}
    engine.deploy()
    return engine


def tagged(engine: Engine, name: str = "backend_key") -> str:
    """The lifetime that AWS shows: of the secret, or of the Elastic IP."""
    if name == "address":
        [address] = engine.client("ec2").describe_addresses(AllocationIds=[engine.id_of(name)])["Addresses"]
        return _ttl(address["Tags"])
    return _ttl(engine.client("secretsmanager").describe_secret(SecretId=engine.id_of(name))["Tags"])


def _ttl(tags: list[dict[str, Any]]) -> str:
    return next((tag["Value"] for tag in tags if tag["Key"] == TTL_TAG), "")


def test_what_aws_shows_of_a_lifetime(temporary: Engine) -> None:
    """Every created resource has the tag, so that the remains of a killed run differ from what is permanent."""
    assert (tagged(temporary), tagged(temporary, "address")) == ("24h", "24h")


def test_another_lifetime(temporary: Engine) -> None:
    """It is a change like any other, of one resource and in place; the secret's value stays."""
    before = temporary.plan().change("backend_key").outputs["value"]
    temporary.sections["deployment"] = {"ttl": "7d"}
    change = temporary.plan().change("backend_key")
    assert temporary.changes() == {"backend_key": Action.UPDATE}
    assert change.differences == (Difference("ttl", "24h", "7d"),)
    temporary.deploy()
    assert tagged(temporary) == "7d"
    assert temporary.plan().change("backend_key").outputs["value"] == before


def test_no_lifetime_any_more(temporary: Engine) -> None:
    """A deployment that is to stay after all loses the tag that would have it swept."""
    temporary.sections["deployment"] = {}
    assert temporary.changes() == {"backend_key": Action.UPDATE}
    temporary.deploy()
    assert tagged(temporary) == ""


def test_a_lifetime_that_was_edited_by_hand(temporary: Engine) -> None:
    """A tag changed in the Console is drift: shown, and put right by the next deployment."""
    secrets = temporary.client("secretsmanager")
    secrets.tag_resource(SecretId=temporary.id_of("backend_key"), Tags=[{"Key": TTL_TAG, "Value": "for ever"}])
    assert temporary.plan().change("backend_key").differences == (Difference("ttl", "for ever", "24h"),)
    temporary.deploy()
    assert tagged(temporary) == "24h"


def test_more_tags_than_an_object_takes(engine: Engine) -> None:
    """S3 allows an object ten tags: with more than that it has the deployer's own, and the bucket has all."""
    engine.parts = ("release",)
    engine.sections = {"deployment": {"ttl": "24h"}, "tags": {f"team-{number}": "platform" for number in range(12)}}
    engine.deploy()
    bucket, _, key = engine.id_of("release").partition("/")
    s3 = engine.client("s3")
    assert {tag["Key"] for tag in s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]} == {DEPLOYMENT_TAG, NAME_TAG, GENERATION_TAG}
    assert len(s3.get_bucket_tagging(Bucket=bucket)["TagSet"]) == 12 + 4


@pytest.mark.parametrize("operation", ["CreateSecret", "CreateGateway", "RunInstances"])
def test_another_lifetime_while_a_creation_is_open(engine: Engine, operation: str) -> None:
    """AWS refuses a client token with other tags; the created resource is looked up first, and used."""
    engine.parts = ("gateway", "instance")
    engine.sections["deployment"] = {"ttl": "1h"}
    with pytest.raises(Cut), cut_at(engine.aws, operation, "committed"):
        engine.apply()
    engine.sections["deployment"] = {"ttl": "2h"}
    engine.deploy()
    assert tagged(engine) == "2h"


def test_the_one_that_tells(engine: Engine) -> None:
    """The deployment's own resource decides, created before the instance and deleted after it: an instance without it was changed by
    hand."""
    engine.sections = {"deployment": {"ttl": "24h"}}
    item = engine.wanted.item(deployment_tags.TTL_RESOURCE)
    assert not item.named
    assert getattr(item.resource, "ttl", "") == "24h"
    assert deployment_tags.TTL_RESOURCE in engine.wanted.needs()["instance"]


@pytest.mark.parametrize(
    ("outputs", "ttl"),
    [({}, None), ({"created_at": OUTPUTS["created_at"]}, None), ({**OUTPUTS, "ttl": "for ever"}, None), ({}, "24h"), (OUTPUTS, "")],
)
def test_no_lifetime(outputs: dict[str, str], ttl: str | None) -> None:
    """A missing or unreadable lifetime means permanent; so does one that is about to be removed."""
    assert deployment_tags.read_lifetime(outputs, ttl) is None


def test_when_a_lifetime_ends() -> None:
    """It counts from the creation that AWS shows; a later deployment renews nothing."""
    whole = deployment_tags.read_lifetime(OUTPUTS)
    longer = deployment_tags.read_lifetime(OUTPUTS, "7d")
    assert whole and whole.ends == CREATED + timedelta(hours=24)
    assert longer and longer.ends == CREATED + timedelta(days=7)


@pytest.mark.parametrize(("age", "said"), [(timedelta(hours=23), "Temporary"), (timedelta(hours=24), "EXPIRED"), (timedelta(9), "EXPIRED")])
def test_what_is_said_of_a_lifetime(age: timedelta, said: str) -> None:
    """When it may be swept; and once that is so, a ttl that would keep it."""
    whole = deployment_tags.read_lifetime(OUTPUTS)
    assert whole
    shown = whole.describe(CREATED + age)
    assert shown.startswith(said)
    assert "2026-11-23T12:00:00Z" in shown
    advised = duration.parse(shown.partition("set deployment.ttl to ")[2].partition(" ")[0])
    assert (advised is not None and advised > age) == (said == "EXPIRED")


def test_a_lifetime_in_a_plan(temporary: Engine) -> None:
    """It is the one that the deployment will have: what a changed configuration says, not what AWS shows still."""
    before = deployment_tags.planned_lifetime(temporary.plan())
    temporary.sections["deployment"] = {"ttl": "7d"}
    after = deployment_tags.planned_lifetime(temporary.plan())
    assert before and after
    assert (before.ttl, after.ttl) == (timedelta(hours=24), timedelta(days=7))
    assert before.created == after.created
    record = temporary.state.current(deployment_tags.TTL_RESOURCE) if temporary.state else None
    assert record
    assert deployment_tags.read_lifetime(record.outputs) == before

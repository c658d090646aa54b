"""A sweep deletes only what is marked as temporary, and is older than both its lifetime and the requested age."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_agent_deploy.commands.sweep import Seen, Verdict, judge_deployment
from sre_agent_deploy.deployment_tags import TTL_RESOURCE
from sre_agent_deploy.engine.inventory import Entry
from sre_agent_deploy.resources import kinds
from sre_core import duration

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def part(kind: str, name: str = "", *, ttl: str = "24h", age: timedelta | None = timedelta(days=2)) -> Entry:
    return Entry(kinds.by_kind(kind), f"{name or kind}-id", name or kind, 1, ttl, NOW - age if age else None)


def teller(ttl: str = "24h", age: timedelta = timedelta(days=2)) -> Entry:
    return part("AWS::SecretsManager::Secret", TTL_RESOURCE, ttl=ttl, age=age)


POOL, ROLE, INSTANCE = part("AWS::Cognito::UserPool"), part("AWS::IAM::Role"), part("AWS::EC2::Instance")
BUCKET = part("AWS::S3::Bucket")
WHOLE = (INSTANCE, POOL, BUCKET)
ADDRESS = part("AWS::EC2::EIP", age=None)


def judge(*parts: Entry, older_than: timedelta = DAY, unseen: str = "", at_work: str = "") -> Verdict:
    return judge_deployment(Seen("sre-0123456789", parts, unseen, at_work), NOW, older_than)


def test_a_deployment_that_outlived_its_ttl() -> None:
    """It is deleted, with everything it has."""
    verdict = judge(teller(), *WHOLE, ROLE, ADDRESS)
    assert (verdict.delete, verdict.resources, verdict.age, verdict.ttl) == (True, 6, timedelta(days=2), "24h")
    assert verdict.because == "older than 1d and than its ttl"


@pytest.mark.parametrize(
    ("parts", "because"),
    [
        ((teller(ttl=""), *WHOLE), "it has no deployment.ttl; name it with --deployment-id"),
        ((teller(ttl="for ever"), *WHOLE), "no length of time"),
        ((teller(age=timedelta(hours=23)), *WHOLE), "not older than 1d"),
        ((teller(ttl="7d"), *WHOLE), "its ttl of 7d is not over"),
        ((teller(), INSTANCE, BUCKET), "its configuration names credentials.user_pool_id"),
        ((teller(), INSTANCE, part("AWS::Cognito::UserPoolClient")), "its configuration names gateway.s3_bucket"),
        ((INSTANCE, POOL, ROLE), "the secret with its ttl was deleted by hand"),
        ((ROLE,), "it may be in another region"),
        ((ADDRESS,), "AWS does not show when"),
        ((POOL, part("AWS::S3::Bucket", ttl="3d")), "its ttl of 3d is not over"),
        ((POOL, part("AWS::S3::Bucket", age=timedelta(hours=1))), "not older than 1d"),
        ((), "may be in another region"),
    ],
)
def test_what_stays(parts: tuple[Entry, ...], because: str) -> None:
    """A resource that may still be needed stays, with the reason."""
    verdict = judge(*parts)
    assert not verdict.delete
    assert because in verdict.because


def test_what_cannot_be_judged() -> None:
    """A run at work, or a refused listing, stops the sweep of that deployment."""
    assert "ada on ship" in judge(teller(), at_work="ada on ship").because
    assert "ListSecrets was refused" in judge(POOL, unseen="ListSecrets was refused").because


@pytest.mark.parametrize(
    "parts", [(POOL,), (POOL, ROLE, ADDRESS), (part("AWS::S3::Bucket"), part("AWS::SecretsManager::Secret", "certificate"))]
)
def test_leftovers(parts: tuple[Entry, ...]) -> None:
    """The remains of a killed run have the tag of a temporary deployment since their creation, and are deleted."""
    verdict = judge(*parts)
    assert verdict.delete
    assert "leftover" in verdict.because


def test_what_lies_in_a_pool_and_a_bucket_of_the_users() -> None:
    """With the configuration that names them it is seen, and deleted with the rest."""
    inside = part("AWS::Cognito::UserPoolClient", ttl="", age=None), part("AWS::S3::Object", age=None)
    assert judge(teller(), INSTANCE, *inside).delete


def test_a_lifetime_taken_away() -> None:
    """If the resource that decides is there, the tags that the others got at their creation no longer count."""
    assert not judge(teller(ttl=""), *WHOLE).delete
    assert not judge(teller(ttl="7d"), *WHOLE).delete


TTLS = st.sampled_from(["", "1h", "24h", "3d", "30d", "for ever", "24"])
AGES = st.none() | st.timedeltas(timedelta(), timedelta(days=60))
PARTS = st.builds(
    part, st.sampled_from(sorted({kind.KIND for kind in kinds.ORDER})), st.sampled_from([TTL_RESOURCE, "other", "more"]), ttl=TTLS, age=AGES
)


@given(st.lists(PARTS, max_size=6), st.timedeltas(timedelta(seconds=1), timedelta(days=40)), st.sampled_from(["", "ada"]), st.booleans())
def test_no_sweep_deletes_what_is_not_old_and_temporary(parts: list[Entry], older_than: timedelta, at_work: str, blind: bool) -> None:
    """In every account only temporary deployments are deleted, and each creation that counts is older than both ages."""
    seen = Seen("sre-0123456789", tuple(parts), "a listing was refused" if blind else "", at_work)
    verdict = judge_deployment(seen, NOW, older_than)
    assert verdict.because
    if verdict.delete:
        length = duration.parse(verdict.ttl)
        assert length
        dates = [each.created for each in seen.ttl_parts if each.created]
        assert dates and all(NOW - date > max(length, older_than) for date in dates)
        assert not at_work and not blind
        assert seen.ttl_resource or not any(each.kind.KIND == "AWS::EC2::Instance" for each in parts)


@given(st.lists(PARTS, min_size=1, max_size=6), st.timedeltas(timedelta(seconds=1), timedelta(days=40)), st.timedeltas(timedelta(), DAY))
def test_asking_for_older_ones_deletes_fewer(parts: list[Entry], older_than: timedelta, more: timedelta) -> None:
    """A longer --older-than never deletes what a shorter one keeps."""
    seen = Seen("sre-0123456789", tuple(parts))
    assert judge_deployment(seen, NOW, older_than).delete or not judge_deployment(seen, NOW, older_than + more).delete

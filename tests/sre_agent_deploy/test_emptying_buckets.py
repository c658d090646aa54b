"""Every version in a bucket is deleted, and what S3 protects is reported with its reason and its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fixtures.cut import watched
from fixtures.engine import Engine
from sre_core.problem import Problem


@pytest.fixture
def s3(engine: Engine) -> Any:
    engine.parts = ("release",)
    return engine.client("s3")


def _only(problems: tuple[Problem, ...]) -> Problem:
    [problem] = problems
    return problem


def _versioned(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"one", b"two"):
        s3.put_object(Bucket=bucket, Key="kept/file", Body=body)
    s3.delete_object(Bucket=bucket, Key="kept/file")


def test_a_bucket_with_versioning_switched_on_by_hand(engine: Engine, s3: Any) -> None:
    """Versions and delete markers go with it, those of other keys too: the bucket is ours."""
    engine.deploy()
    bucket = engine.id_of("bucket")
    _versioned(s3, bucket)
    assert engine.cleanup().problems == ()
    assert bucket not in [each["Name"] for each in s3.list_buckets()["Buckets"]]


def test_a_bucket_of_the_users_that_keeps_versions(engine: Engine, s3: Any) -> None:
    """Of our own keys no version is left, and every version of the user's."""
    theirs = f"{engine.name}-theirs"
    s3.create_bucket(Bucket=theirs)
    _versioned(s3, theirs)
    before = s3.list_object_versions(Bucket=theirs)
    engine.sections["gateway"] = {"s3_bucket": theirs}
    engine.deploy()
    assert engine.cleanup().problems == ()
    after = s3.list_object_versions(Bucket=theirs)
    assert (after["Versions"], after["DeleteMarkers"]) == (before["Versions"], before["DeleteMarkers"])


@pytest.mark.parametrize("hold", ["retention", "legal hold"])
def test_an_object_under_lock(engine: Engine, s3: Any, hold: str) -> None:
    """S3 answers 200 and keeps the object: cleanup sees it, names it and how long it is kept, and deletes the others."""
    engine.parts = ("bucket",)
    engine.deploy()
    bucket = engine.id_of("bucket")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})
    for key in ("a", "locked", "z"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"data")
    until = datetime.now(UTC) + timedelta(days=3)
    if hold == "retention":
        s3.put_object_retention(Bucket=bucket, Key="locked", Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until})
    else:
        s3.put_object_legal_hold(Bucket=bucket, Key="locked", LegalHold={"Status": "ON"})

    problem = _only(engine.cleanup().problems)
    assert problem.code == "S3-OBJECT-LOCKED"
    assert "locked" in problem.what
    assert (f"{until:%Y-%m-%d}" if hold == "retention" else "legal hold") in problem.why
    [left] = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert left["Key"] == "locked"

    s3.put_object_legal_hold(Bucket=bucket, Key="locked", LegalHold={"Status": "OFF"})
    s3.delete_object(Bucket=bucket, Key="locked", VersionId=left["VersionId"], BypassGovernanceRetention=True)
    assert engine.cleanup().problems == ()


def test_versions_that_only_root_may_delete(engine: Engine, s3: Any) -> None:
    """With MFA Delete on, the problem says so and names who can switch it off."""
    engine.deploy()
    bucket, mfa = engine.id_of("bucket"), "arn:aws:iam::123456789012:mfa/root 123456"
    s3.put_bucket_versioning(Bucket=bucket, MFA=mfa, VersioningConfiguration={"Status": "Enabled", "MFADelete": "Enabled"})
    assert {problem.code for problem in engine.cleanup().problems} == {"S3-MFA-DELETE"}
    s3.put_bucket_versioning(Bucket=bucket, MFA=mfa, VersioningConfiguration={"Status": "Enabled", "MFADelete": "Disabled"})
    assert engine.cleanup().problems == ()


@contextmanager
def _written_to(engine: Engine, bucket: str, times: int) -> Iterator[None]:
    """Write into the bucket between its emptying and its deletion, as another program."""
    left = times

    def write(**_: Any) -> None:
        nonlocal left
        if left:
            left -= 1
            engine.client("s3").put_object(Bucket=bucket, Key=f"late-{left}", Body=b"still here")

    events = engine.aws.client("s3").meta.events
    events.register("before-call.s3.DeleteBucket", write)
    try:
        yield
    finally:
        events.unregister("before-call.s3.DeleteBucket", write)


def test_a_bucket_that_is_written_to_while_it_goes(engine: Engine, s3: Any) -> None:
    """It is emptied again."""
    engine.deploy()
    bucket = engine.id_of("bucket")
    with _written_to(engine, bucket, times=2):
        assert engine.cleanup().problems == ()
    assert bucket not in [each["Name"] for each in s3.list_buckets()["Buckets"]]


def test_a_bucket_with_more_than_a_page(engine: Engine, s3: Any) -> None:
    """S3 lists and deletes a thousand versions at a time."""
    engine.parts = ("bucket",)
    engine.deploy()
    bucket = engine.id_of("bucket")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for part in range(11):
        s3.put_object(Bucket=bucket, Key=f"key-{part}", Body=b"data")
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": f"key-{part}"}] * 100})  # each time another delete marker
    assert s3.list_object_versions(Bucket=bucket)["IsTruncated"]
    calls: list[str] = []
    with watched(engine.aws, calls.append):
        assert engine.cleanup().problems == ()
    assert calls == ["DeleteObjects", "DeleteObjects", "DeleteBucket"]

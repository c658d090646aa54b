"""The reports of a machine's bootstrap decide if it is ready, failed, or still waited for."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.resource import Ready, Waiting
from sre_agent_deploy.resources import ec2_boot
from sre_agent_deploy.resources.ec2_boot import STEPS, Status
from sre_agent_deploy.resources.ec2_calls import latest_image
from sre_agent_deploy.resources.s3_bucket import S3Bucket
from sre_core.problem import Problem

from .conftest import Marked
from .life import create

AGES_AGO = datetime(2026, 1, 1, tzinfo=UTC)
STATUSES = st.builds(
    Status, st.sampled_from(STEPS), st.sampled_from(["running", "ok", "failed"]), st.text(max_size=20), st.text(max_size=20)
)


@pytest.mark.property(1)
@given(latest=st.none() | STATUSES)
def test_any_report(latest: Status | None) -> None:
    """**Feature: aws-ec2-production-deployment, Property 1: Deployment Validation**

    For any valid deployment configuration, the SRE Agent should successfully initialize all services, pass connectivity tests, and
    be accessible via HTTPS endpoints.

    Of all reports only `ready: ok` makes a machine ready, every failure becomes a Problem that quotes it, and any other report
    means waiting.
    """
    answer = ec2_boot.judge_boot("i-1", latest)
    assert isinstance(answer, Ready) is (latest is not None and (latest.step, latest.state) == ("ready", "ok"))
    assert isinstance(answer, Problem) is (latest is not None and latest.state == "failed")
    if isinstance(answer, Problem) and latest:
        assert latest.what in answer.what
        assert latest.output in answer.why
    if isinstance(answer, Waiting) and latest:
        assert latest.step in answer.for_


@given(text=st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_a_report_that_can_not_be_read(text: str) -> None:
    """It may be written right now, so it counts as running."""
    assert ec2_boot.judge_boot("i-1", Status.parse("release", text)) == Waiting("bootstrap is at release (1 of 5)")


@pytest.mark.parametrize(
    ("listeners", "url"),
    [
        (({"port": 443, "address": "127.0.9.1", "actual_port": 40123},), "https://127.0.9.1:40123"),
        (({"port": 8011, "address": "10.0.0.5", "actual_port": 8011}, {"port": 443, "address": "10.0.0.5"}), "https://10.0.0.5"),
        (({"port": 8011, "address": "10.0.0.5", "actual_port": 8011},), ""),
        ((), ""),
    ],
)
def test_where_the_front_door_listens(listeners: tuple[dict[str, object], ...], url: str) -> None:
    """The port is named only where it is another than 443."""
    assert ec2_boot.private_url(Status("ready", "ok", listeners=listeners)) == url


def test_reports_of_a_start_before(aws: Aws, marked: Marked, deployment: str) -> None:
    """They don't count; of the later ones the newest does, and objects that are no reports don't."""
    bucket = create(aws, S3Bucket(name="bucket", bucket_name=f"{deployment}-files"), marked("bucket"))
    uri = f"s3://{bucket}/status/instance-1/"
    assert ec2_boot.read_latest_status(aws, uri, "i-1", AGES_AGO) is None
    for key in ("i-1/release.json", "i-1/credentials.json", "i-1/notes.txt", "i-1/deeper/ready.json", "i-2/services.json"):
        aws.client("s3").put_object(Bucket=bucket, Key=f"status/instance-1/{key}", Body=b'{"state": "ok"}')
    assert ec2_boot.read_latest_status(aws, uri, "i-1", AGES_AGO) == Status("credentials", "ok")
    assert ec2_boot.read_latest_status(aws, uri, "i-1", datetime.now(UTC) + timedelta(hours=1)) is None
    assert ec2_boot.read_latest_status(aws, f"s3://{deployment}-nowhere/status/", "i-1", AGES_AGO) is None
    ec2_boot.delete_reports(aws, uri)
    assert ec2_boot.read_latest_status(aws, uri, "i-1", AGES_AGO) is None


def test_reports_of_a_version_before(aws: Aws, marked: Marked, deployment: str) -> None:
    """They lie at one place for all machines: that one is ready is believed, a failure may be another machine's."""
    bucket = create(aws, S3Bucket(name="bucket", bucket_name=f"{deployment}-files"), marked("bucket"))
    uri = f"s3://{bucket}/status/"
    aws.client("s3").put_object(Bucket=bucket, Key="status/ready.json", Body=b'{"state": "ok"}')
    aws.client("s3").put_object(Bucket=bucket, Key="status/services.json", Body=b'{"state": "failed"}')
    assert ec2_boot.read_latest_status(aws, uri, "i-1", AGES_AGO) == Status("ready", "ok")
    ec2_boot.delete_reports(aws, ec2_boot.own_uri(uri, "i-1"))
    assert ec2_boot.read_latest_status(aws, uri, "i-1", AGES_AGO) == Status("ready", "ok")
    ec2_boot.delete_reports(aws, uri)
    assert ec2_boot.read_latest_status(aws, uri, "i-1", AGES_AGO) is None


@pytest.mark.parametrize(("step", "log"), [("release", "cloud-init-output.log"), ("services", "sre-agent*"), ("front_door", "-u nginx")])
def test_where_the_log_of_a_step_is(step: str, log: str) -> None:
    """The advice names a log that exists when this step fails."""
    problem = ec2_boot.judge_boot("i-1", Status(step, "failed"))
    assert isinstance(problem, Problem)
    assert log in problem.do[1]


@pytest.mark.parametrize("status", [None, Status("services", "running"), Status("front_door", "ok")])
def test_a_boot_that_never_ends(status: Status | None) -> None:
    """A machine that is older than a boot may take is replaced by the next deployment; a younger one is waited for."""
    limit = timedelta(minutes=15)
    assert ec2_boot.failure_of(status, timedelta(minutes=16), limit) == "its bootstrap has not finished in 15m"
    assert ec2_boot.failure_of(status, timedelta(minutes=14), limit) == ""
    assert ec2_boot.failure_of(Status("ready", "ok"), timedelta(days=9), limit) == ""


def test_the_last_witness(aws: Aws) -> None:
    """The end of the serial console is read; an instance that is gone has none."""
    image = latest_image(aws, "amazon-linux-2023")
    id = aws.client("ec2").run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    assert "Linux version" in ec2_boot.read_console(aws, id)
    aws.client("ec2").terminate_instances(InstanceIds=[id])
    assert ec2_boot.read_console(aws, "i-0123456789abcdef0") == ""

"""What a machine says about its bootstrap: small status objects in S3, and what follows from them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.resource import Ready, Waiting
from sre_agent_deploy.resources import s3_versions
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

STEPS = ("release", "credentials", "services", "front_door", "ready")


@dataclass(frozen=True)
class Status:
    """What one step of the bootstrap reported last."""

    step: str
    state: str
    what: str = ""
    output: str = ""
    listeners: tuple[Mapping[str, Any], ...] = ()

    @classmethod
    def parse(cls, step: str, text: str) -> Status:
        """The status of an object's text; one that can't be read counts as running, since it may be written right now."""
        try:
            parts = json.loads(text)
        except ValueError:
            parts = None
        if not isinstance(parts, dict):
            return cls(step, "running")
        state, what, output = (str(parts.get(key, "")) for key in ("state", "what", "output"))
        return cls(step, state, what, output, tuple(parts.get("listeners") or ()))


def judged(instance_id: str, latest: Status | None) -> Ready | Waiting | Problem:
    """Whether the machine works, from the last thing that it said (pure)."""
    if latest is None:
        return Waiting("instance is running; its bootstrap has not reported yet")
    if latest.state == "failed":
        return _failed(instance_id, latest)
    if latest.state == "ok" and latest.step == STEPS[-1]:
        return Ready()
    number = f"({STEPS.index(latest.step) + 1} of {len(STEPS)})"
    return Waiting(f"bootstrap {'has finished' if latest.state == 'ok' else 'is at'} {latest.step} {number}")


def private_url(latest: Status | None) -> str:
    """Where the front door's port 443 listens inside the VPC, as `ready` reported it; empty before that (pure)."""
    https = next((listener for listener in (latest.listeners if latest else ()) if listener.get("port") == 443), None)
    if https is None:
        return ""
    port = https.get("actual_port", 443)
    return f"https://{https['address']}" + ("" if port == 443 else f":{port}")


def latest(aws: Aws, status_uri: str, since: datetime) -> Status | None:
    """The newest report under an `s3://bucket/prefix/` of the start at `since`; older ones are from a start before."""
    bucket, _, prefix = status_uri.removeprefix("s3://").partition("/")
    answer = or_none(lambda: aws.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix), ("NoSuchBucket",))
    listed: list[Any] = [*answer.get("Contents", [])] if answer else []
    # S3 shows whole seconds: a report of the first second must not look older than the launch, and of two the later step is newer.
    launched, steps = since.replace(microsecond=0), {f"{prefix}{step}.json": number for number, step in enumerate(STEPS)}
    reports = [(entry["LastModified"], steps[entry["Key"]]) for entry in listed if entry["Key"] in steps]
    modified, number = max(reports, default=(since, -1))
    if number < 0 or modified < launched:
        return None
    return Status.parse(STEPS[number], _text(aws, bucket, f"{prefix}{STEPS[number]}.json"))


def broken(latest: Status | None) -> str:
    """Why a machine will not work any more (pure). Its bootstrap runs once, so it has to be made anew."""
    return f"its bootstrap failed at {latest.step}" if latest and latest.state == "failed" else ""


def forget(aws: Aws, status_uri: str, since: datetime | None = None) -> None:
    """Delete the reports under an `s3://bucket/prefix/`, or those `since` the launch of the machine that wrote them."""
    bucket, _, prefix = status_uri.removeprefix("s3://").partition("/")
    answer = or_none(lambda: aws.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix), ("NoSuchBucket",))
    listed: list[Any] = [*answer.get("Contents", [])] if answer else []
    keys = {entry["Key"] for entry in listed if since is None or entry["LastModified"] >= since.replace(microsecond=0)}
    if keys:
        s3_versions.delete(aws, bucket, prefix, only=keys.__contains__)


def _text(aws: Aws, bucket: str, key: str) -> str:
    answer = or_none(lambda: aws.client("s3").get_object(Bucket=bucket, Key=key), ("NoSuchKey",))
    return answer["Body"].read().decode(errors="replace") if answer else ""


def _failed(instance_id: str, status: Status) -> Problem:
    return Problem(
        code="INSTANCE-BOOT-FAILED",
        what=f"The bootstrap of {instance_id} failed at {status.step}: {status.what}",
        why=f"Its last output was:\n{status.output}" if status.output else "The step gave no output.",
        do=(
            "Correct what the message names and run the same command again: it starts a new instance in place of this one.",
            f"To look around first: aws ssm start-session --target {instance_id}, then sudo journalctl -b -u 'sre-agent*'.",
        ),
        context={"step": status.step},
    )

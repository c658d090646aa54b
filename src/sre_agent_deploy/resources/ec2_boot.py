"""What a machine says about its bootstrap: small status objects in S3, and what follows from them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.resource import Ready, Waiting
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


def judged(instance_id: str, statuses: tuple[Status, ...]) -> Ready | Waiting | Problem:
    """Whether the machine works, from its reports (pure). A failed step wins over whatever came after it."""
    by_step = {status.step: status for status in statuses}
    reported = [by_step[step] for step in STEPS if step in by_step]
    if failed := next((status for status in reported if status.state == "failed"), None):
        return _failed(instance_id, failed)
    if reported and reported[-1].step == "ready" and reported[-1].state == "ok":
        return Ready()
    if not reported:
        return Waiting("instance is running; its bootstrap has not reported yet")
    if reported[-1].state == "ok":
        return Waiting(f"bootstrap has finished {reported[-1].step} ({len(reported)} of {len(STEPS)})")
    return Waiting(f"bootstrap is at {reported[-1].step} ({len(reported)} of {len(STEPS)})")


def private_url(statuses: tuple[Status, ...]) -> str:
    """Where the front door's port 443 listens inside the VPC, as `ready` reported it; empty before that (pure)."""
    listeners = [listener for status in statuses if status.step == "ready" for listener in status.listeners]
    https = next((listener for listener in listeners if listener.get("port") == 443), None)
    if https is None:
        return ""
    port = https.get("actual_port", 443)
    return f"https://{https['address']}" + ("" if port == 443 else f":{port}")


def reported(aws: Aws, status_uri: str, since: datetime) -> tuple[Status, ...]:
    """The reports under an `s3://bucket/prefix/` of the start at `since`; older ones are from a start before."""
    bucket, _, prefix = status_uri.removeprefix("s3://").partition("/")
    answer = or_none(lambda: aws.s3.list_objects_v2(Bucket=bucket, Prefix=prefix), ("NoSuchBucket",))
    # S3 shows whole seconds, so a report of the first second must not look older than the launch.
    launched = since.replace(microsecond=0)
    listed: list[Any] = [*answer.get("Contents", [])] if answer else []
    fresh = [entry["Key"] for entry in listed if entry["LastModified"] >= launched]
    steps = {key.removeprefix(prefix).removesuffix(".json"): key for key in fresh}
    texts = {step: _text(aws, bucket, steps[step]) for step in STEPS if step in steps}
    return tuple(Status.parse(step, text) for step, text in texts.items())


def forget(aws: Aws, status_uri: str) -> None:
    """Delete the reports under an `s3://bucket/prefix/`, which nobody but the machine has written."""
    bucket, _, prefix = status_uri.removeprefix("s3://").partition("/")
    answer = or_none(lambda: aws.s3.list_objects_v2(Bucket=bucket, Prefix=prefix), ("NoSuchBucket",))
    for entry in answer.get("Contents", []) if answer else []:
        aws.s3.delete_object(Bucket=bucket, Key=entry["Key"])


def _text(aws: Aws, bucket: str, key: str) -> str:
    answer = or_none(lambda: aws.s3.get_object(Bucket=bucket, Key=key), ("NoSuchKey",))
    return answer["Body"].read().decode(errors="replace") if answer else ""


def _failed(instance_id: str, status: Status) -> Problem:
    return Problem(
        code="INSTANCE-BOOT-FAILED",
        what=f"The bootstrap of {instance_id} failed at {status.step}: {status.what}",
        why=f"Its last output was:\n{status.output}" if status.output else "The step gave no output.",
        do=(
            f"Correct what the message names; then `aws ec2 terminate-instances --instance-ids {instance_id}` "
            "and run the same command again: it starts a new instance.",
            f"To look around first: aws ssm start-session --target {instance_id}, then sudo journalctl -b -u 'sre-agent*'.",
        ),
        context={"step": status.step},
    )

"""What a machine says about its bootstrap: small status objects in S3, and what follows from them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.resource import Ready, Waiting
from sre_agent_deploy.resources.s3_bucket import delete_versions
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


def own_uri(status_uri: str, instance_id: str) -> str:
    """Name the place where one machine reports: an update has two, and each is judged by its own reports (pure)."""
    return f"{status_uri}{instance_id}/"


def latest(aws: Aws, status_uri: str, instance_id: str, since: datetime) -> Status | None:
    """Read the newest report of a machine that was started at `since`; older reports are from a start before."""
    bucket, _, prefix = status_uri.removeprefix("s3://").partition("/")
    # S3 shows whole seconds: a report of the first second must not look older than the launch.
    launched = since.replace(microsecond=0)
    times = {key: time for key, time in _listed(aws, bucket, prefix).items() if time >= launched}
    own = {f"{prefix}{instance_id}/{step}.json": number for number, step in enumerate(STEPS)}
    # Machines of a version before report to one place. Of those reports only `ready` is not overwritten by a machine that fails.
    shared = {f"{prefix}{STEPS[-1]}.json": len(STEPS) - 1}
    keys = [key for key in own if key in times] or [key for key in shared if key in times]
    if not keys:
        return None
    # Of two reports of one second the later step is newer.
    steps = own | shared
    newest = max(keys, key=lambda key: (times[key], steps[key]))
    return Status.parse(STEPS[steps[newest]], _text(aws, bucket, newest))


def _listed(aws: Aws, bucket: str, prefix: str) -> dict[str, datetime]:
    answer = or_none(lambda: aws.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix), ("NoSuchBucket",))
    return {each["Key"]: each["LastModified"] for each in answer.get("Contents", [])} if answer else {}


def broken(latest: Status | None) -> str:
    """Why a machine will not work any more (pure). Its bootstrap runs once, so it has to be made anew."""
    return f"its bootstrap failed at {latest.step}" if latest and latest.state == "failed" else ""


def forget(aws: Aws, uri: str) -> None:
    """Delete the reports under an `s3://bucket/prefix/`."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    if _listed(aws, bucket, prefix):
        delete_versions(aws, bucket, prefix)


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
            f"On AWS, look around first: aws ssm start-session --target {instance_id}, then sudo journalctl -b -u 'sre-agent*'.",
        ),
        context={"step": status.step},
    )

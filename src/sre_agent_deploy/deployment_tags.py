"""The tags of a deployment that outlive its state file: how long it is needed, and where its state is (pure).

Every resource is created with both. TTL_RESOURCE keeps them right: always ours, and deleted late. A state on one machine has no
tag: no other machine can reach its lock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sre_agent_deploy.later import Outputs
from sre_agent_deploy.plan import Plan
from sre_agent_deploy.resource import STATE_TAG, TTL_TAG
from sre_core import clock, duration

TTL_RESOURCE = "backend_key"
"""The resource whose ttl tag the plan keeps right: always ours, created before the instance and deleted after it.

The others carry the tag of their creation, which counts only where this one does not exist (`commands/sweep.py`).
"""


@dataclass(frozen=True)
class Lifetime:
    """When a temporary deployment was created, and how long it is needed. A later deploy does not renew it."""

    created: datetime
    ttl: timedelta

    @property
    def ends(self) -> datetime:
        return self.created + self.ttl

    def describe(self, now: datetime) -> str:
        """Say when it may be swept, and how to keep it longer."""
        spelled = f"deployment.ttl {duration.format_exactly(self.ttl)}, counted from its creation at {clock.stamp(self.created)}"
        if now < self.ends:
            return f"Temporary: `cleanup --older-than` may delete it from {clock.stamp(self.ends)} on ({spelled})."
        longer = duration.format_exactly(timedelta(hours=-((self.created - now - self.ttl) // timedelta(hours=1))))
        return (
            f"EXPIRED {clock.stamp(self.ends)}: the next `cleanup --older-than` may delete it ({spelled}). "
            f"To keep it, set deployment.ttl to {longer} or more, or to nothing, and deploy."
        )


def ttl_tags(ttl: str) -> Mapping[str, str]:
    """Make the tags that every resource of a temporary deployment is created with."""
    return {TTL_TAG: ttl} if ttl else {}


def planned_lifetime(plan: Plan) -> Lifetime | None:
    """Read the lifetime that a deployment has when its plan is applied; None if it is not temporary or does not exist yet."""
    source = next((change for change in plan.changes if change.name == TTL_RESOURCE), None)
    if source is None:
        return None
    wanted = next((difference.wanted for difference in source.differences if difference.field == "ttl"), None)
    return read_lifetime(source.outputs, wanted)


def read_lifetime(outputs: Outputs, ttl: str | None = None) -> Lifetime | None:
    """Read the lifetime from the outputs of TTL_RESOURCE, or with the `ttl` that it is about to get; None if it is not temporary."""
    length, created = duration.parse(str(outputs.get("ttl", "")) if ttl is None else ttl), outputs.get("created_at")
    return Lifetime(clock.parse(str(created)), length) if length and created else None


# What every service accepts as the value of a tag: https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
_TAG_VALUE = re.compile(r"[\w +\-=.:/@]{1,256}", re.ASCII)


class Tagged(Protocol):
    """A resource of a deployment, as listings show it."""

    @property
    def name(self) -> str: ...
    @property
    def state(self) -> str: ...


def taggable(location: str) -> str:
    """Return the location of a state in S3 as the value of a tag; empty for a local file, and for a key that no tag can hold."""
    return location if location.startswith("s3://") and _TAG_VALUE.fullmatch(location) else ""


def state_tags(location: str) -> Mapping[str, str]:
    """Make the tag that every resource of a deployment with a state in S3 is created with."""
    return {STATE_TAG: location} if location else {}


def read_location(parts: Iterable[Tagged]) -> str:
    """Read where the state of a deployment is from its resources; empty if they do not say it."""
    said = [(part.name != TTL_RESOURCE, part.state) for part in parts if part.state]
    return min(said)[1] if said else ""

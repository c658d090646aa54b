"""The lifetime of a temporary deployment: `deployment.ttl`, kept as a tag in AWS so that it outlives any state file (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sre_agent_deploy.config import duration
from sre_agent_deploy.later import Outputs
from sre_agent_deploy.plan import Plan
from sre_agent_deploy.resource import TTL_TAG
from sre_core import clock

TTL_RESOURCE = "backend_key"
"""The resource whose ttl tag the plan keeps right: always ours, created before the instance and deleted after it.

The others carry the tag of their creation, which counts only where this one does not exist (`engine/staleness.py`).
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
    """Read the lifetime that a deployment has once its plan is carried out; None if it is not temporary or does not exist yet."""
    source = next((change for change in plan.changes if change.name == TTL_RESOURCE), None)
    if source is None:
        return None
    wanted = next((difference.wanted for difference in source.differences if difference.field == "ttl"), None)
    return read_lifetime(source.outputs, wanted)


def read_lifetime(outputs: Outputs, ttl: str | None = None) -> Lifetime | None:
    """Read the lifetime from the outputs of TTL_RESOURCE, or with the `ttl` that it is about to get; None if it is not temporary."""
    length, created = duration.parse(str(outputs.get("ttl", "")) if ttl is None else ttl), outputs.get("created_at")
    return Lifetime(clock.parse(str(created)), length) if length and created else None

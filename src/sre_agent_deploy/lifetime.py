"""How long a deployment is needed: `deployment.ttl`, which AWS itself shows as a tag, so that it outlives any state file (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sre_agent_deploy.config import duration
from sre_agent_deploy.later import Outputs
from sre_agent_deploy.plan import Plan
from sre_agent_deploy.resource import TTL_TAG
from sre_core import clock

TELLER = "backend_key"
"""The resource whose tag the plan keeps right: always ours, born before the instance and deleted after it.

The others carry the tag as it was at their birth; they are asked only where this one is not there (`sweep.py`).
"""


@dataclass(frozen=True)
class Lifetime:
    """When a temporary deployment was created, and how long it is needed. A later deploy renews nothing: age counts from creation."""

    created: datetime
    ttl: timedelta

    @property
    def ends(self) -> datetime:
        return self.created + self.ttl

    def told(self, now: datetime) -> str:
        """When it may be swept, and what to do where that is sooner than wanted."""
        spelled = f"deployment.ttl {duration.spelled(self.ttl)}, counted from its creation at {clock.stamp(self.created)}"
        if now < self.ends:
            return f"Temporary: `cleanup --older-than` may delete it from {clock.stamp(self.ends)} on ({spelled})."
        longer = duration.spelled(timedelta(hours=-((self.created - now - self.ttl) // timedelta(hours=1))))
        return (
            f"EXPIRED {clock.stamp(self.ends)}: the next `cleanup --older-than` may delete it ({spelled}). "
            f"To keep it, set deployment.ttl to {longer} or more, or to nothing, and deploy."
        )


def tags(ttl: str) -> Mapping[str, str]:
    """What every birth of a temporary deployment carries."""
    return {TTL_TAG: ttl} if ttl else {}


def planned(plan: Plan) -> Lifetime | None:
    """The lifetime that a deployment has once its plan is carried out; None for what is not there yet, too."""
    teller = next((change for change in plan.changes if change.name == TELLER), None)
    if teller is None:
        return None
    wanted = next((difference.wanted for difference in teller.differences if difference.field == "ttl"), None)
    return lifetime(teller.outputs, wanted)


def lifetime(outputs: Outputs, ttl: str | None = None) -> Lifetime | None:
    """The lifetime that the teller's outputs tell, or with the `ttl` that it is about to get; None for what is not temporary."""
    length, created = duration.parsed(str(outputs.get("ttl", "")) if ttl is None else ttl), outputs.get("created_at")
    return Lifetime(clock.parse(str(created)), length) if length and created else None

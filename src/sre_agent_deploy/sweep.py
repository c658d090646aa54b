"""`cleanup --older-than`: which of the deployments that an account shows are swept, and why each of the others stays (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sre_agent_deploy.config import duration
from sre_agent_deploy.engine.inventory import Doomed
from sre_agent_deploy.lifetime import TELLER
from sre_agent_deploy.resource import TTL_TAG
from sre_agent_deploy.resources import kinds
from sre_agent_deploy.resources.ec2_instance import Ec2Instance


@dataclass(frozen=True)
class Seen:
    """One deployment as AWS shows it. `unseen` says what could not be looked at, `at_work` who works on it now."""

    deployment: str
    parts: tuple[Doomed, ...]
    unseen: str = ""
    at_work: str = ""

    @property
    def teller(self) -> Doomed | None:
        """The one whose tag the plan keeps right."""
        return next((part for part in self.parts if part.name == TELLER), None)

    @property
    def telling(self) -> tuple[Doomed, ...]:
        """Those whose tags count: the teller alone, else what is left, as it was at its birth."""
        return (self.teller,) if self.teller else self.parts


@dataclass(frozen=True)
class Judged:
    """What becomes of one deployment, and why."""

    deployment: str
    delete: bool
    because: str
    resources: int
    age: timedelta | None
    ttl: str

    def to_json(self) -> dict[str, Any]:
        return {
            "deployment": self.deployment,
            "action": "delete" if self.delete else "keep",
            "because": self.because,
            "resources": self.resources,
            "age_seconds": None if self.age is None else int(self.age.total_seconds()),
            "ttl": self.ttl,
        }


def judged(seen: Seen, now: datetime, older_than: timedelta) -> Judged:
    """Delete what says of itself that it is temporary, and is older than both that and `older_than`; keep everything else."""
    ttl, created = _ttl(part.ttl for part in seen.telling), _created(seen.telling)
    age = now - created if created else None
    stays = _unclear(seen) or _lasting(ttl) or _young(age, older_than, ttl)
    because = stays or f"older than {duration.spelled(older_than)} and than its ttl{'' if seen.teller else ': a leftover, not complete'}"
    return Judged(seen.deployment, not stays, because, len(seen.parts), age, ttl)


def _ttl(told: Iterable[str]) -> str:
    """The longest of what the tags say; of what is no length of time, that."""
    texts = sorted({text for text in told if text})
    unreadable = (text for text in texts if duration.parsed(text) is None)
    return next(unreadable, "") or max(texts, key=lambda text: duration.parsed(text) or timedelta(), default="")


def _created(parts: Iterable[Doomed]) -> datetime | None:
    """When the last of them was made, of those of which AWS shows it."""
    return max((part.created for part in parts if part.created), default=None)


def _unclear(seen: Seen) -> str:
    """Why nobody can say from here that it is of no use any more; empty where somebody can."""
    names = {part.kind.KIND for part in seen.parts}
    if seen.at_work:
        return f"somebody works on it now: {seen.at_work}"
    if seen.unseen:
        return f"it could not be looked at completely: {seen.unseen}"
    if not seen.teller and Ec2Instance.KIND in names:
        return f"the secret that tells its ttl was deleted by hand, and its instance is there; {_by_name(seen)}"
    if hidden := _hidden(names):
        return f"its configuration names {hidden}, and what it made in there is seen only with its configuration: add --config FILE"
    if not seen.teller and not any(part.kind.REGIONAL for part in seen.parts):
        return f"only what has no region is seen of it, so it may live in another one; if not, {_by_name(seen)}"
    return ""


def _hidden(names: Set[str]) -> str:
    """The setting that names an existing resource in which this deployment has something that is not seen without its configuration."""
    if Ec2Instance.KIND not in names:
        return ""
    configurable = [(kind, {kind.KIND, *(child.KIND for child in kinds.inside(kind))}) for kind in kinds.ORDER if kind.CONFIGURED_BY]
    return next((kind.CONFIGURED_BY for kind, family in configurable if not names & family), "")


def _by_name(seen: Seen) -> str:
    return f"name it to delete it: --deployment-id {seen.deployment}"


def _lasting(ttl: str) -> str:
    if not ttl:
        return "it has no deployment.ttl; name it with --deployment-id to delete it"
    return "" if duration.parsed(ttl) else f"its tag {TTL_TAG} is no length of time; deploy it again, or name it with --deployment-id"


def _young(age: timedelta | None, older_than: timedelta, ttl: str) -> str:
    if age is None:
        return "AWS does not show when what is left of it was made; name it with --deployment-id to delete it"
    if age <= older_than:
        return f"not older than {duration.spelled(older_than)}"
    return f"its ttl of {ttl} is not over" if age <= (duration.parsed(ttl) or timedelta.max) else ""

"""Judge whether a temporary deployment is no longer needed, from what AWS shows of it."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.config import duration
from sre_agent_deploy.deployment_tags import TTL_RESOURCE
from sre_agent_deploy.engine.inventory import Entry, Named, take_inventory
from sre_agent_deploy.resource import TTL_TAG
from sre_agent_deploy.resources import kinds
from sre_agent_deploy.resources.ec2_instance import Ec2Instance
from sre_core.problem import Problem


@dataclass(frozen=True)
class Seen:
    """One deployment as AWS shows it. `unseen` says what could not be looked up, `worker` which process works on it now."""

    deployment: str
    parts: tuple[Entry, ...]
    unseen: str = ""
    worker: str = ""

    @property
    def ttl_resource(self) -> Entry | None:
        """The resource whose ttl tag the plan keeps right."""
        return next((part for part in self.parts if part.name == TTL_RESOURCE), None)

    @property
    def ttl_parts(self) -> tuple[Entry, ...]:
        """The parts whose ttl tags count: the ttl resource alone, else everything that is left."""
        return (self.ttl_resource,) if self.ttl_resource else self.parts


def look_at(aws: Aws, deployment: str, named: Named, worker: str) -> Seen | None:
    """Look up everything of one deployment; None if nothing is left of it."""
    found = take_inventory(aws, deployment, None, named)
    unseen = [problem.what for problem in found.problems if not found.entries or _matters(problem)]
    return Seen(deployment, found.entries, next(iter(unseen), ""), worker) if found.entries or unseen else None


def _matters(problem: Problem) -> bool:
    """Return True if what could not be seen might forbid the deletion; kept volumes and the budgets of an account can't."""
    return problem.code != "CLEANUP-VOLUME-KEPT" and problem.context.get("operation") != "DescribeBudgets"


@dataclass(frozen=True)
class Verdict:
    """Whether one deployment is deleted or kept, and why."""

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


@dataclass(frozen=True)
class Verdicts:
    """The verdict on every deployment of an account and region."""

    account: str
    region: str
    verdicts: tuple[Verdict, ...]


def judge_deployment(seen: Seen, now: datetime, older_than: timedelta) -> Verdict:
    """Delete what is temporary by its own tag and older than both its ttl and `older_than`; keep everything else (pure)."""
    ttl, created = _longest_ttl(part.ttl for part in seen.ttl_parts), _last_created(seen.ttl_parts)
    age = now - created if created else None
    kept = _why_unclear(seen) or _why_lasting(ttl) or _why_young(age, older_than, ttl)
    because = (
        kept
        or f"older than {duration.format_exactly(older_than)} and than its ttl{'' if seen.ttl_resource else ': a leftover, not complete'}"
    )
    return Verdict(seen.deployment, not kept, because, len(seen.parts), age, ttl)


def _longest_ttl(tags: Iterable[str]) -> str:
    """Return the longest ttl of the tags; if one of them is not a length of time, that one."""
    texts = sorted({text for text in tags if text})
    unreadable = (text for text in texts if duration.parse(text) is None)
    return next(unreadable, "") or max(texts, key=lambda text: duration.parse(text) or timedelta(), default="")


def _last_created(parts: Iterable[Entry]) -> datetime | None:
    """Find when the newest part was created, among those of which AWS shows it."""
    return max((part.created for part in parts if part.created), default=None)


def _why_unclear(seen: Seen) -> str:
    """Explain why it can't be decided from here that a deployment is no longer needed; empty if it can."""
    names = {part.kind.KIND for part in seen.parts}
    if seen.worker:
        return f"a process works on it now: {seen.worker}"
    if seen.unseen:
        return f"it could not be looked at completely: {seen.unseen}"
    if not seen.ttl_resource and Ec2Instance.KIND in names:
        return f"the secret with its ttl was deleted by hand, and its instance exists; {_by_id(seen)}"
    if hidden := _hidden(names):
        return f"its configuration names {hidden}, and what it created in there is seen only with its configuration: add --config FILE"
    if not seen.ttl_resource and not any(part.kind.REGIONAL for part in seen.parts):
        return f"only what has no region is seen of it, so it may be in another region; if not, {_by_id(seen)}"
    return ""


def _hidden(names: Set[str]) -> str:
    """Return the setting that names an existing resource whose part of this deployment is seen only with its configuration."""
    if Ec2Instance.KIND not in names:
        return ""
    configurable = [(kind, {kind.KIND, *(child.KIND for child in kinds.inside(kind))}) for kind in kinds.ORDER if kind.CONFIGURED_BY]
    return next((kind.CONFIGURED_BY for kind, family in configurable if not names & family), "")


def _by_id(seen: Seen) -> str:
    return f"name it to delete it: --deployment-id {seen.deployment}"


def _why_lasting(ttl: str) -> str:
    if not ttl:
        return "it has no deployment.ttl; name it with --deployment-id to delete it"
    return "" if duration.parse(ttl) else f"its tag {TTL_TAG} is no length of time; deploy it again, or name it with --deployment-id"


def _why_young(age: timedelta | None, older_than: timedelta, ttl: str) -> str:
    if age is None:
        return "AWS does not show when what is left of it was created; name it with --deployment-id to delete it"
    if age <= older_than:
        return f"not older than {duration.format_exactly(older_than)}"
    return f"its ttl of {ttl} is not over" if age <= (duration.parse(ttl) or timedelta.max) else ""

"""The cost and the resources of a run, shown before it changes anything (pure)."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from live.settings import TAG, Settings, configuration
from sre_agent_deploy.account.account import describe_account
from sre_agent_deploy.blueprint import blueprint
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.workspace import load_config
from sre_agent_deploy.costs import PRICED, Estimate, estimate_cost
from sre_core.problem import Problem

BUDGET = "sre-agent-live-tests"
STEPS = ("deploy", "verify", "kill", "resume", "update", "rotate", "cleanup")
# Seven steps and three machines, one after the other, each of which boots for some minutes.
USUAL_HOURS = 1.5
MACHINES = 2


@dataclass(frozen=True)
class Statement:
    """The deployment that a run makes, and what that costs."""

    settings: Settings
    account_id: str
    kinds: Counter[str]
    estimate: Estimate

    @property
    def usual(self) -> float:
        """Return the cost of a run that ends as it should. Two machines exist at once while one replaces the other."""
        return self.estimate.hours(USUAL_HOURS, MACHINES)

    @property
    def most(self) -> float:
        """Return the cost if the run is killed and only a scheduled sweep after the lifetime, at most an hour late, deletes everything."""
        return self.estimate.hours(max(self.settings.life.total_seconds() / 3600, USUAL_HOURS) + 1, MACHINES)

    def __str__(self) -> str:
        chosen = self.settings
        deployment = chosen.deployment(self.account_id)
        kinds = ", ".join(f"{count} {kind.removeprefix('AWS::')}" for kind, count in sorted(self.kinds.items()))
        return "\n".join(
            (
                f"Account {self.account_id}, region {chosen.region}, {chosen.endpoint or 'Amazon itself'}",
                f"Steps:   {', '.join(STEPS)}; then a sweep, whatever happened",
                f"Creates: deployment {deployment} ({chosen.name}), {sum(self.kinds.values())} resources, each with the tags",
                f"         {TAG[0]}={TAG[1]} and sre-agent:ttl={chosen.ttl}: {kinds}",
                f"Changes: the A record of {chosen.domain} in the hosted zone {chosen.zone}",
                f"         the budget {BUDGET} ({chosen.usd:.2f} USD a month, mails to {chosen.email}), made first and kept",
                f"         the cost allocation tag {TAG[0]}, which is activated",
                f"Deletes: deployment {deployment}, and every temporary deployment of this account and region whose ttl has passed",
                f"Costs:   about {self.usual:.2f} USD ({USUAL_HOURS} hours, {MACHINES} machines at once while one replaces the other),",
                f"         at most {self.most:.2f} USD if it dies and only a sweep after its ttl deletes everything",
                f"         ({PRICED}; no language model is asked)",
            )
        )


def state_what_it_does(settings: Settings, account_id: str, folder: Path) -> Statement:
    """Read the configuration as `deploy` does, and count what it would create."""
    file = folder / "config.yaml"
    file.write_text(json.dumps(configuration(settings, account_id, str(folder))))
    config = load_config(Request(file, None, folder / ".deployment_state"))
    wanted = blueprint(config, describe_account(config))
    kinds = Counter(item.resource.KIND for item in wanted if not item.named)
    return Statement(settings, account_id, kinds, estimate_cost(config, wanted))


def refuse_spending(statement: Statement, spent: float) -> Problem | None:
    """Refuse a run that could pass the month's limit with what was spent already."""
    limit = statement.settings.usd
    if spent + statement.most <= limit:
        return None
    return Problem(
        code="LIVE-SPEND-LIMIT",
        what=f"The run could cost {statement.most:.2f} USD, and {spent:.2f} of {limit:.2f} USD are spent. Nothing was created.",
        why="A run begins only if it can't pass the limit even when it dies and only a later sweep deletes what it made.",
        do=("Wait for the next month, shorten SRE_LIVE_TTL, or raise SRE_LIVE_USD.",),
    )

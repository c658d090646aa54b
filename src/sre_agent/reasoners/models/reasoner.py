"""The reasoner of a language model: rules first, then the agents, then what they may change of the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import TYPE_CHECKING

from sre_agent import aws
from sre_agent.evidence import EvidenceLog
from sre_agent.observations import Observations
from sre_agent.reasoners import Inquiry
from sre_agent.reasoners.claims import check_claims
from sre_agent.reasoners.conclusion import Conclusion, decide
from sre_agent.reasoners.models.settings import ModelSettings
from sre_agent.reasoners.rules.reasoner import Rules
from sre_agent.reasoners.rules.vocabulary import CAUSES
from sre_agent.reasoners.rules.write import list_steps
from sre_agent.report import Report
from sre_agent.specialists import runbooks
from sre_agent.tools import Tools
from sre_core import clock, log

if TYPE_CHECKING:
    from pydantic_ai import ModelSettings as RequestSettings
    from pydantic_ai import RunUsage
    from pydantic_ai.models import Model

    from sre_agent.reasoners.models.metering import Meter
    from sre_agent.reasoners.models.toolbox import Desk

type Connect = Callable[[ModelSettings], AbstractAsyncContextManager[tuple[Model, RequestSettings]]]


class ModelReasoner:
    """Answers with a language model, and with the rules alone where the model can't."""

    def __init__(self, name: str, settings: ModelSettings, connect: Connect) -> None:
        self.name = name
        self._settings = settings
        self._connect = connect

    async def conclude(self, inquiry: Inquiry, observations: Observations, tools: Tools) -> Report:
        """Let the rules answer, then the model look further. If the model fails, the rules' answer remains."""
        from pydantic_ai import RunUsage

        from sre_agent.reasoners.models.metering import Meter
        from sre_agent.reasoners.models.toolbox import Desk

        rules = await Rules().conclude(inquiry, observations, tools)
        evidence = EvidenceLog.resume(rules.investigation_id, rules.evidence)
        desk, usage, meter = Desk(tools, evidence, self._settings.privacy, inquiry.watch, _only_namespace(inquiry)), RunUsage(), Meter()
        said = await self._ask_model(inquiry, rules, desk, usage, meter)
        report = self._without_model(rules, said) if isinstance(said, str) else await _combine(rules, said, desk)
        return replace(report, finished_at=clock.now(), model={**self._account(usage, said), "models": meter.to_json()})

    async def _ask_model(self, inquiry: Inquiry, rules: Report, desk: Desk, usage: RunUsage, meter: Meter) -> Conclusion | str:
        """Return the model's conclusion, or why there is none."""
        from pydantic_ai.exceptions import AgentRunError, FallbackExceptionGroup, UserError

        from sre_agent.reasoners.models.agents import Team, run_agents
        from sre_agent.reasoners.models.failures import explain
        from sre_agent.reasoners.models.metering import Metered

        budget = self._settings.budget
        expected: tuple[type[BaseException], ...] = (AgentRunError, FallbackExceptionGroup, UserError, TimeoutError, *aws.client_errors())
        try:
            async with asyncio.timeout(budget.seconds), self._connect(self._settings) as (model, settings):
                return await run_agents(Team(Metered(model, meter), settings, desk, budget, usage), inquiry, rules)
        except expected as error:
            why = explain(error, budget)
            log.get().warning("model.failed", reasoner=self.name, why=why)
            return why

    def _without_model(self, rules: Report, why: str) -> Report:
        note = f"The language model ({self.name}: {self._settings.model}) gave no usable answer: {why}. This is the answer of the rules."
        return replace(rules, notes=(*rules.notes, note))

    def _account(self, usage: RunUsage, said: Conclusion | str) -> dict[str, object]:
        """Account for what was used. A cost that is unknown is none, not zero."""
        return {
            "reasoner": self.name,
            "model": self._settings.model,
            "answered": not isinstance(said, str),
            "why": said if isinstance(said, str) else "",
            "requests": usage.requests,
            "tool_calls": usage.tool_calls,
            "input_tokens": usage.input_tokens,
            "cached_tokens": usage.cache_read_tokens,
            "output_tokens": usage.output_tokens,
            "dollars": float(usage.cost) if usage.cost is not None else None,
        }


def _only_namespace(inquiry: Inquiry) -> str:
    """Return the namespace to which the question is restricted; empty where it is not."""
    return "" if inquiry.scope.namespace == "all" else inquiry.scope.namespace


async def _combine(rules: Report, said: Conclusion, desk: Desk) -> Report:
    """Combine both answers. The steps for a cause that only the model named come from the runbooks for that cause."""
    decision = decide(rules, said, check_claims(said.claims, desk.log, desk.privacy), desk.log, desk.specialist_of_tool())
    report = replace(decision.report, reasoner="rules and model")
    if not decision.is_models:
        return report
    found = await runbooks.find_runbooks(desk.tools, CAUSES[said.cause].search, said.name)
    return replace(report, next_steps=list_steps(found.runbooks, desk.log), evidence=tuple(desk.log))

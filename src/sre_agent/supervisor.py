"""Leads one investigation: four specialists look at once, the reasoner judges, the runbooks say what to do next."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from sre_agent.evidence import EvidenceLog, new_investigation_id
from sre_agent.reasoners.rules.judge import Judgement, judge
from sre_agent.reasoners.rules.write import Inquiry, report
from sre_agent.report import Report
from sre_agent.scene import Scene
from sre_agent.scope import Scope, of_prompt, service_in
from sre_agent.specialists import kubernetes, logs, metrics, runbooks
from sre_agent.tools import Tools
from sre_core import clock

CLOSER = 4  # services whose own errors are read


async def investigate(prompt: str, tools: Tools) -> Report:
    """The report that answers `prompt`."""
    started = clock.now()
    scope = of_prompt(prompt, started)
    scene = await _look(tools, scope)
    scope = replace(scope, service=service_in(prompt, scene.services))
    scene += await logs.look_closer(tools, scope, _suspects(judge(scene, scope), scope))
    judgement = judge(scene, scope)
    scene += await _advice(tools, judgement)
    return report(Inquiry(prompt=prompt, scope=scope, started_at=started), scene, judgement, EvidenceLog(new_investigation_id()))


async def _look(tools: Tools, scope: Scope) -> Scene:
    """What all four see. Where the default namespace is empty, every namespace is looked at."""
    cluster, logged, measured, written = await asyncio.gather(
        kubernetes.look(tools, scope), logs.look(tools, scope), metrics.look(tools, scope), runbooks.look(tools)
    )
    if not cluster.pods and not scope.namespace:
        cluster = await kubernetes.look(tools, replace(scope, namespace="all"))
    return cluster + logged + measured + written


def _suspects(judgement: Judgement, scope: Scope) -> tuple[str, ...]:
    """The services that look worst, and the one that was asked about."""
    candidates = [found.service for found in (judgement.cause, judgement.suspicion) if found]
    names = dict.fromkeys([*candidates, scope.service, *(signal.service for signal in judgement.symptoms)])
    return tuple(name for name in names if name)[:CLOSER]


async def _advice(tools: Tools, judgement: Judgement) -> Scene:
    """Runbooks for the cause or for what is suspected; none for a healthy system."""
    found = judgement.cause or judgement.suspicion
    return await runbooks.choose(tools, found.search, found.service) if found else Scene()

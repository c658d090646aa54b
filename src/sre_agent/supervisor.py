"""One investigation: the four specialists look at the same time, then the reasoner concludes."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from sre_agent.observations import Observations
from sre_agent.reasoner import Inquiry, Reasoner
from sre_agent.report import Report
from sre_agent.scope import Scope, find_service, parse_prompt
from sre_agent.specialists import kubernetes, logs, metrics, runbooks
from sre_agent.tools import Tools
from sre_core import clock


async def investigate(prompt: str, tools: Tools, reasoner: Reasoner) -> Report:
    """Answer `prompt` with a report."""
    started = clock.now()
    scope = parse_prompt(prompt, started)
    observations = await _observe(tools, scope)
    scope = replace(scope, service=find_service(prompt, observations.services))
    return await reasoner.conclude(Inquiry(prompt=prompt, scope=scope, started_at=started), observations, tools)


async def _observe(tools: Tools, scope: Scope) -> Observations:
    """Let all four specialists look. Where the default namespace is empty, look at every namespace."""
    cluster, logged, measured, written = await asyncio.gather(
        kubernetes.observe(tools, scope), logs.observe(tools, scope), metrics.observe(tools, scope), runbooks.observe(tools)
    )
    if not cluster.pods and not scope.namespace:
        cluster = await kubernetes.observe(tools, replace(scope, namespace="all"))
    return cluster + logged + measured + written

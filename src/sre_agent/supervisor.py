"""Leads one investigation: four specialists look at once, the reasoner judges, the runbooks say what to do next."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from sre_agent.evidence import EvidenceLog, new_investigation_id
from sre_agent.observations import Observations
from sre_agent.reasoners.rules.diagnose import Diagnosis, diagnose
from sre_agent.reasoners.rules.write import Inquiry, write_report
from sre_agent.report import Report
from sre_agent.scope import Scope, find_service, parse_prompt
from sre_agent.specialists import kubernetes, logs, metrics, runbooks
from sre_agent.tools import Tools
from sre_core import clock

CLOSER = 4  # services whose own errors are read


async def investigate(prompt: str, tools: Tools) -> Report:
    """The report that answers `prompt`."""
    started = clock.now()
    scope = parse_prompt(prompt, started)
    observations = await _look(tools, scope)
    scope = replace(scope, service=find_service(prompt, observations.services))
    observations += await logs.observe_errors_of(tools, scope, _suspects(diagnose(observations, scope), scope))
    diagnosis = diagnose(observations, scope)
    observations += await _advice(tools, diagnosis)
    return write_report(
        Inquiry(prompt=prompt, scope=scope, started_at=started), observations, diagnosis, EvidenceLog(new_investigation_id())
    )


async def _look(tools: Tools, scope: Scope) -> Observations:
    """What all four see. Where the default namespace is empty, every namespace is looked at."""
    cluster, logged, measured, written = await asyncio.gather(
        kubernetes.observe(tools, scope), logs.observe(tools, scope), metrics.observe(tools, scope), runbooks.observe(tools)
    )
    if not cluster.pods and not scope.namespace:
        cluster = await kubernetes.observe(tools, replace(scope, namespace="all"))
    return cluster + logged + measured + written


def _suspects(diagnosis: Diagnosis, scope: Scope) -> tuple[str, ...]:
    """The services that look worst, and the one that was asked about."""
    candidates = [found.service for found in (diagnosis.cause, diagnosis.suspicion) if found]
    names = dict.fromkeys([*candidates, scope.service, *(signal.service for signal in diagnosis.symptoms)])
    return tuple(name for name in names if name)[:CLOSER]


async def _advice(tools: Tools, diagnosis: Diagnosis) -> Observations:
    """Runbooks for the cause or for what is suspected; none for a healthy system."""
    found = diagnosis.cause or diagnosis.suspicion
    return await runbooks.find_runbooks(tools, found.search, found.service) if found else Observations()

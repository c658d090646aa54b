"""The reasoner that needs no model: declared detectors over what the specialists observed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sre_agent.evidence import EvidenceLog, new_investigation_id
from sre_agent.observations import Observations
from sre_agent.reasoners import Inquiry
from sre_agent.reasoners.rules.diagnose import Diagnosis, diagnose
from sre_agent.reasoners.rules.vocabulary import CAUSES
from sre_agent.reasoners.rules.write import write_report
from sre_agent.report import Report
from sre_agent.scope import Scope
from sre_agent.specialists import logs, metrics, runbooks
from sre_agent.tools import Tools


class Rules:
    """Diagnoses twice where lists were cut: the first diagnosis says whose part to read, the second one is the answer.

    `without` names causes that it does not know: so an evaluation measures its answers to unforeseen faults.
    """

    name = "rules"

    def __init__(self, without: frozenset[str] = frozenset()) -> None:
        self._without = without

    async def conclude(self, inquiry: Inquiry, observations: Observations, tools: Tools) -> Report:
        """Read the errors of the suspects, diagnose, find the runbooks that fit, and write the report."""
        diagnosis = diagnose(observations, inquiry.scope, self._without)
        closer = await _look_closer(tools, inquiry.scope, observations, diagnosis)
        if closer.answers:
            observations += closer
            diagnosis = diagnose(observations, inquiry.scope, self._without)
        observations += await _find_runbooks(tools, diagnosis)
        report = write_report(inquiry, observations, diagnosis, EvidenceLog(new_investigation_id()))
        return replace(report, reasoner=self.name)


def create(environment: Mapping[str, str]) -> Rules:
    """Create the reasoner; rules have no settings."""
    return Rules()


async def _look_closer(tools: Tools, scope: Scope, observations: Observations, diagnosis: Diagnosis) -> Observations:
    """Read what was cut, of the suspects: their errors, and what is not steady at the one that is slow; without any, the list further."""
    found = Observations()
    if not logs.sees_all_errors(observations.answers):
        found += await logs.observe_errors(tools, scope, _suspects(diagnosis, scope))
    suspect = diagnosis.cause or diagnosis.suspicion
    if metrics.sees_all_trends(observations.answers):
        return found
    if suspect is None:
        return found + await metrics.observe_further_trends(tools, observations.answers, observations.trends)
    if CAUSES[suspect.kind].area == "performance":
        found += await metrics.observe_trends(tools, scope, suspect.service, observations.trends)
    return found


def _suspects(diagnosis: Diagnosis, scope: Scope) -> tuple[str, ...]:
    """Return the services that look worst, and the one that was asked about."""
    candidates = [found.service for found in (diagnosis.cause, diagnosis.suspicion) if found]
    names = dict.fromkeys([*candidates, scope.service, *(signal.service for signal in diagnosis.symptoms)])
    return tuple(name for name in names if name)[: logs.MOST_SUSPECTS]


async def _find_runbooks(tools: Tools, diagnosis: Diagnosis) -> Observations:
    """Find runbooks for the cause or the suspicion; none for a healthy system."""
    found = diagnosis.cause or diagnosis.suspicion
    return await runbooks.find_runbooks(tools, found.search, found.service) if found else Observations()

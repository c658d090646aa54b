"""The reasoner that needs no model: declared detectors over what the specialists observed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sre_agent.evidence import EvidenceLog, new_investigation_id
from sre_agent.observations import Observations
from sre_agent.reasoner import Inquiry
from sre_agent.reasoners.rules.diagnose import Diagnosis, diagnose
from sre_agent.reasoners.rules.write import write_report
from sre_agent.report import Report
from sre_agent.scope import Scope
from sre_agent.specialists import logs, runbooks
from sre_agent.tools import Tools


class Rules:
    """Diagnoses twice where not all errors were seen: the first diagnosis says whose to read, the second one is the answer.

    `without` names causes that it does not know: so an evaluation sees what it says of faults of a kind that nobody foresaw.
    """

    name = "rules"

    def __init__(self, without: frozenset[str] = frozenset()) -> None:
        self._without = without

    async def conclude(self, inquiry: Inquiry, observations: Observations, tools: Tools) -> Report:
        """Read the errors of the suspects, diagnose, find the runbooks that fit, and write the report."""
        diagnosis = diagnose(observations, inquiry.scope, self._without)
        if not logs.sees_all_errors(observations.answers):
            observations += await logs.observe_errors(tools, inquiry.scope, _suspects(diagnosis, inquiry.scope))
            diagnosis = diagnose(observations, inquiry.scope, self._without)
        observations += await _find_runbooks(tools, diagnosis)
        report = write_report(inquiry, observations, diagnosis, EvidenceLog(new_investigation_id()))
        return replace(report, reasoner=self.name)


def create(environment: Mapping[str, str]) -> Rules:
    """Create the reasoner; rules have no settings."""
    return Rules()


def _suspects(diagnosis: Diagnosis, scope: Scope) -> tuple[str, ...]:
    """Return the services that look worst, and the one that was asked about."""
    candidates = [found.service for found in (diagnosis.cause, diagnosis.suspicion) if found]
    names = dict.fromkeys([*candidates, scope.service, *(signal.service for signal in diagnosis.symptoms)])
    return tuple(name for name in names if name)[: logs.MOST_SUSPECTS]


async def _find_runbooks(tools: Tools, diagnosis: Diagnosis) -> Observations:
    """Find runbooks for the cause or the suspicion; none for a healthy system."""
    found = diagnosis.cause or diagnosis.suspicion
    return await runbooks.find_runbooks(tools, found.search, found.service) if found else Observations()

"""Claims with their evidence. A claim that cites evidence which does not exist is rejected."""

from __future__ import annotations

from dataclasses import dataclass

from sre_agent.evidence import EvidenceLog


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One claim, and the ids of its evidence."""

    claim: str
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class Rejected:
    """A finding that does not get into the report, and why."""

    finding: Finding
    because: str


def accept(finding: Finding, log: EvidenceLog) -> Finding | Rejected:
    """Accept a finding that cites evidence, all of which exists."""
    if not finding.evidence:
        return Rejected(finding, "it cites no evidence")
    unknown = [cited for cited in finding.evidence if cited not in log]
    if unknown:
        return Rejected(finding, f"it cites evidence that does not exist: {', '.join(unknown)}")
    return finding

"""What scanners find, and which of it is accepted for a reason (pure)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

ACCEPTED = Path(__file__).with_name("accepted.toml")


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that a scanner objects to."""

    tool: str
    rule: str
    where: str
    what: str


@dataclass(frozen=True)
class Accepted:
    """Findings of one rule that stay, and why. `where` may have wildcards."""

    tool: str
    rule: str
    where: str
    why: str

    def covers(self, finding: Finding) -> bool:
        return (finding.tool, finding.rule) == (self.tool, self.rule) and fnmatchcase(finding.where, self.where)


@dataclass(frozen=True)
class Outcome:
    """What one scanner said, or why it did not run: then nothing is known."""

    tool: str
    findings: tuple[Finding, ...] = ()
    not_run: str = ""
    looked_at: str = ""


@dataclass(frozen=True)
class Judgement:
    """What must be fixed or justified, and what is justified and no longer found."""

    new: tuple[Finding, ...]
    accepted: tuple[tuple[Finding, Accepted], ...]
    outdated: tuple[Accepted, ...]
    not_run: tuple[Outcome, ...]

    @property
    def exit_code(self) -> int:
        """Return 1 where something must be done, 2 where a scanner could not look, else 0."""
        return 1 if self.new or self.outdated else 2 if self.not_run else 0

    @property
    def passed(self) -> bool:
        return self.exit_code == 0


def judge(outcomes: Sequence[Outcome], accepted: Sequence[Accepted], without: Iterable[str] = ()) -> Judgement:
    """Compare findings with what is accepted. An entry of a scanner that did not run is neither used nor outdated."""
    ran = {outcome.tool for outcome in outcomes if not outcome.not_run}
    found = sorted({finding for outcome in outcomes for finding in outcome.findings})
    pairs = tuple((finding, entry) for finding in found if (entry := next((a for a in accepted if a.covers(finding)), None)))
    covered, used = {finding for finding, _ in pairs}, {entry for _, entry in pairs}
    return Judgement(
        tuple(finding for finding in found if finding not in covered),
        pairs,
        tuple(entry for entry in accepted if entry.tool in ran and entry not in used),
        tuple(outcome for outcome in outcomes if outcome.not_run and outcome.tool not in {*without}),
    )


def read_accepted(text: str) -> tuple[Accepted, ...]:
    """Read the entries. Raises ValueError on one without a reason, which would accept without saying why."""
    entries = tuple(Accepted(**entry) for entry in tomllib.loads(text).get("accepted", ()))
    if silent := [f"{entry.tool} {entry.rule}" for entry in entries if len(entry.why.split()) < 5]:
        raise ValueError(f"without a reason: {', '.join(silent)}")
    return entries

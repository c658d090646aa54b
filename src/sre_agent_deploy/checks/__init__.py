"""The protocol of a check, and the function that runs many checks at once; the failure of one stops no other.

suite.py lists all checks: those of preflight and those of verification.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, Protocol

from sre_agent_deploy.progress import Event, Observer, Step, ignore_event
from sre_core.problem import Problem

type Status = Literal["passed", "failed", "unknown"]
_STEPS: dict[Status, Step] = {"passed": "done", "failed": "failed", "unknown": "unknown"}


@dataclass(frozen=True)
class Finding:
    """The result of one check. `unknown` means that it could not look, which never counts as `passed`."""

    check: str
    status: Status
    what: str
    requirements: tuple[str, ...] = ()
    required: bool = True
    problem: Problem | None = None
    seconds: float = 0.0
    values: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def to_json(self) -> dict[str, Any]:
        parts: dict[str, Any] = {
            "check": self.check,
            "status": self.status,
            "what": self.what,
            "requirements": list(self.requirements),
            "required": self.required,
            "seconds": round(self.seconds, 3),
        }
        parts |= {"values": dict(self.values)} if self.values else {}
        return parts | ({"problem": self.problem.to_json()} if self.problem else {})


@dataclass(frozen=True)
class Verdict:
    """The decision of `judge`: does it hold (None: the facts don't show it), what was seen, and what to do where it does not hold.

    `optional` is for what can't always be seen: a deployment is complete without it while it is unknown. `values` are for reports.
    """

    holds: bool | None
    what: str
    problem: Problem | None = None
    optional: bool = False
    values: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


class Check[World, Facts](Protocol):
    """One thing that must be true. `probe` looks and decides nothing; `judge` decides and does no IO."""

    @property
    def id(self) -> str:
        """Name the check for reports, for example `gateway.tools_called`. It never changes."""
        ...

    @property
    def proves(self) -> str:
        """Say what holds when it passes, as a sentence."""
        ...

    @property
    def requirements(self) -> tuple[str, ...]:
        """List the mission's requirements that it covers."""
        ...

    @property
    def required(self) -> bool:
        """Say if a deployment is incomplete without it."""
        ...

    def probe(self, world: World) -> Facts | Problem:
        """Collect the facts, or explain why they could not be seen."""
        ...

    def judge(self, facts: Facts) -> Verdict: ...


def run_checks[World](checks: Sequence[Check[World, Any]], world: World, observe: Observer = ignore_event) -> tuple[Finding, ...]:
    """Run all checks at the same time and return a finding for each, in the order of `checks`."""
    with ThreadPoolExecutor(8, thread_name_prefix="check") as pool:
        return tuple(pool.map(lambda check: _run_one(check, world, observe), checks))


def _run_one[World](check: Check[World, Any], world: World, observe: Observer) -> Finding:
    began = time.monotonic()
    observe(Event("started", check.id, check.proves))
    finding = replace(_judge_one(check, world), seconds=time.monotonic() - began)
    observe(Event(_STEPS[finding.status], check.id, finding.what, finding.seconds, finding.problem))
    return finding


def _judge_one[World](check: Check[World, Any], world: World) -> Finding:
    facts = check.probe(world)
    if isinstance(facts, Problem):
        return Finding(check.id, "unknown", facts.what, check.requirements, check.required, facts)
    verdict = check.judge(facts)
    status: Status = "unknown" if verdict.holds is None else "passed" if verdict.holds else "failed"
    required = check.required and not (verdict.optional and status == "unknown")
    return Finding(check.id, status, verdict.what, check.requirements, required, verdict.problem, values=verdict.values)


def count_findings(findings: Sequence[Finding]) -> str:
    """Count the findings of each status, for people (pure)."""
    counts = Counter(finding.status for finding in findings)
    passed = f"{counts['passed'] or 'no'} check{'s' if counts['passed'] != 1 else ''} passed"
    others = {"failed": counts["failed"], "not tried": counts["unknown"]}
    return ", ".join([passed, *(f"{number} {status}" for status, number in others.items() if number)])


def is_complete(findings: Sequence[Finding]) -> bool:
    """Say if every required check passed (Property 4). A check that could not look did not pass."""
    return bool(findings) and all(finding.status == "passed" for finding in findings if finding.required)

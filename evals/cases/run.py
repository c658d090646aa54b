"""Score the assistant on labelled cases: each becomes a recording, is asked about, and is compared with its label."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from evals.cases.case import Case, find_cases
from evals.cases.recording import write_recording
from evals.recorded_tools import RecordedTools
from evals.score import Verdict, show_progress
from sre_agent import supervisor
from sre_agent.evidence import Answer, Argument
from sre_agent.reasoners.rules.reasoner import Rules
from sre_agent.report import RootCause
from sre_agent.tools import Tool
from sre_core.problem import Refused

# The cases' own questions ("Partial Service Unreachability.") tell nothing that the cluster does not.
PROMPT = "What is wrong?"
CONFIDENT = 0.8  # the confidence from which a wrong answer is a confident error
# The kinds of objects for which labels say "app": what runs an application, and what leads to it or belongs to it.
_PREFIXES = {"Namespace": "namespace", "Node": "node"}


@dataclass(frozen=True, kw_only=True)
class Scored:
    """One case: its label, what was said, and what that took."""

    name: str
    expected: Verdict
    said: Verdict
    confidence: float
    seconds: float
    calls: int
    score: float = 0.0

    @property
    def right(self) -> bool:
        """Cause and object, both."""
        return self.said == self.expected

    @property
    def abstained(self) -> bool:
        return not self.said.cause

    @property
    def confident_error(self) -> bool:
        return not self.right and not self.abstained and self.confidence >= CONFIDENT


class CountedTools:
    """Counts the calls of an investigation."""

    def __init__(self, tools: RecordedTools) -> None:
        self._tools = tools
        self.calls = 0

    def offered(self) -> Mapping[str, Tool]:
        """Return the tools by operation."""
        return self._tools.offered()

    async def call(self, operation: str, /, **arguments: Argument) -> Answer:
        """Count the call, and make it."""
        self.calls += 1
        return await self._tools.call(operation, **arguments)


def run(folder: Path, only: str = "", workers: int = 1, *, leave_out: bool = False) -> Iterator[Scored]:
    """Score every case below a folder whose name contains `only`; with `leave_out` by rules that do not know its cause."""
    cases = [case for case in find_cases(folder) if only in case.name]
    asked = partial(score, leave_out=leave_out)
    what = f"{len(cases)} cases{', their causes unknown' if leave_out else ''}"
    if workers == 1:
        yield from show_progress(map(asked, cases), what)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from show_progress(pool.map(asked, cases), what)


def score(case: Case, *, leave_out: bool = False) -> Scored:
    """Ask about one case; one that can't be read counts as an abstention, and says why."""
    try:
        return _ask(case, Rules(frozenset({case.expected.cause}) if leave_out else frozenset()))
    except (Refused, ValueError, KeyError, TypeError, AttributeError, IndexError) as fault:
        sys.stderr.write(f"{case.name} can't be read: {fault!r}\n")
        return Scored(name=case.name, expected=case.expected, said=Verdict(), confidence=0.0, seconds=0.0, calls=0)


def _ask(case: Case, rules: Rules) -> Scored:
    """Ask about one case. The time is the processor time of the investigation alone, which other programs do not lengthen."""
    with tempfile.TemporaryDirectory() as folder:
        tools = CountedTools(RecordedTools(str(write_recording(case, Path(folder)))))
        started = time.process_time()
        report = asyncio.run(supervisor.investigate(PROMPT, tools, rules))
        seconds = time.process_time() - started
    confidence = report.root_cause.confidence.score if report.root_cause else 0.0
    return Scored(
        name=case.name,
        expected=case.expected,
        said=to_verdict(report.root_cause),
        confidence=confidence,
        seconds=seconds,
        calls=tools.calls,
        score=report.root_cause.score if report.root_cause else 0.0,
    )


def table(scored: Sequence[Scored], *, every: bool = False) -> str:
    """Render the cases that were not right, the score of each cause, and the totals."""
    lines = [_line(found) for found in scored if every or not found.right]
    causes = dict.fromkeys(found.expected.cause for found in scored)
    for cause in sorted(causes):
        own = [found for found in scored if found.expected.cause == cause]
        right, same = sum(found.right for found in own), sum(found.said.cause == cause for found in own)
        placed = sum(found.said.object == found.expected.object for found in own)
        lines.append(f"{cause or '(nothing wrong)':<36} A@1 {right}/{len(own)}  cause {same}/{len(own)}  object {placed}/{len(own)}")
    return "\n".join([*lines, _totals(scored)])


def _totals(scored: Sequence[Scored]) -> str:
    count = max(len(scored), 1)
    right, silent = sum(found.right for found in scored), sum(found.abstained for found in scored)
    errors = sum(found.confident_error for found in scored)
    seconds, calls = sorted(found.seconds for found in scored) or [0.0], [found.calls for found in scored] or [0]
    return (
        f"A@1 {right / count:.3f} ({right} of {len(scored)}), abstained {silent}, wrong {len(scored) - right - silent}, "
        f"confident errors {errors}, seconds median {seconds[len(seconds) // 2]:.2f} worst {seconds[-1]:.2f}, "
        f"calls mean {sum(calls) / count:.1f} most {max(calls)}"
    )


def _line(found: Scored) -> str:
    said = f"{found.said.cause} {found.said.object} ({found.confidence:.2f})" if found.said.cause else "nothing concluded"
    return f"{'ok' if found.right else 'NO'} {found.name:<24} {said}; label {found.expected.cause} {found.expected.object}"


def to_verdict(cause: RootCause | None) -> Verdict:
    """Say what was concluded, in the labels' words: `app/NAME` for everything but nodes and namespaces."""
    if cause is None:
        return Verdict()
    return Verdict(cause.kind, f"{_PREFIXES.get(cause.ref.kind, 'app')}/{cause.ref.name}")


def count(scored: Sequence[Scored]) -> dict[str, float]:
    """Count what is compared between runs; no seconds, which are those of the machine."""
    return {
        "cases": len(scored),
        "right": sum(one.right for one in scored),
        "abstained": sum(one.abstained for one in scored),
        "confident errors": sum(one.confident_error for one in scored),
        "most calls": max((one.calls for one in scored), default=0),
    }

"""What can be seen through the tools: for each cause, the operations without which it is not concluded."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from evals.cases.run import PROMPT, to_verdict
from evals.made import make_incidents
from evals.recorded_tools import RecordedTools
from evals.score import Verdict
from evals.suites.incident import Incident
from evals.suites.run import read_cases
from sre_agent import supervisor
from sre_agent.evidence import Answer, Argument
from sre_agent.reasoners.rules.reasoner import Rules
from sre_agent.report import Report
from sre_agent.tools import Tool
from sre_core import clock

MOST_CASES = 2  # of each cause: each is asked about once for every operation that its conclusion cites


@dataclass(frozen=True, kw_only=True)
class Sight:
    """One case: whether its cause was concluded, the operations that its evidence came from, and those that decided.

    An operation decided if the cause is no longer concluded when it fails. Where none alone did, another showed the same.
    """

    name: str
    expected: Verdict
    seen: bool
    cited: frozenset[str]
    decisive: frozenset[str]


class _Failing:
    """Tools of which one operation fails, as a service does that can't be reached."""

    def __init__(self, tools: RecordedTools, operation: str) -> None:
        self._tools, self._operation = tools, operation

    def offered(self) -> Mapping[str, Tool]:
        return self._tools.offered()

    async def call(self, operation: str, /, **arguments: Argument) -> Answer:
        if operation == self._operation:
            tool = self._tools.offered()[operation].name
            return Answer(tool=tool, arguments=arguments, at=clock.now(), failure="left out")
        return await self._tools.call(operation, **arguments)


def run(folder: Path | None, workers: int = 1, most: int = MOST_CASES) -> Iterator[Sight]:
    """Look at some labelled cases of each cause below a folder, and at incidents of our own for the causes that it lacks."""
    cases = list(_choose(read_cases(folder), most)) if folder else []
    labelled = {one.expected[0].cause for one in cases}
    incidents = [*cases, *(one for one in make_incidents() if one.expected[0].cause not in labelled)]
    if workers == 1:
        yield from map(look, incidents)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(look, incidents)


def _choose(incidents: Iterable[Incident], most: int) -> Iterator[Incident]:
    taken: Counter[str] = Counter()
    for one in incidents:
        cause = one.expected[0].cause
        taken[cause] += 1
        if taken[cause] <= most:
            yield one


def look(incident: Incident) -> Sight:
    """Ask about one incident: with all tools, then without each operation that the conclusion cites."""
    (expected,) = incident.expected
    with tempfile.TemporaryDirectory() as folder:
        tools = RecordedTools(str(incident.write(Path(folder))))
        report = _investigate(_Failing(tools, ""))
        seen = to_verdict(report.root_cause) == expected
        cited = _cited(report) if seen else frozenset()
        decisive = {name for name in cited if to_verdict(_investigate(_Failing(tools, name)).root_cause) != expected}
    return Sight(name=incident.name, expected=expected, seen=seen, cited=cited, decisive=frozenset(decisive))


def _investigate(tools: _Failing) -> Report:
    return asyncio.run(supervisor.investigate(PROMPT, tools, Rules()))


def _cited(report: Report) -> frozenset[str]:
    """Return the operations that the cause's evidence came from: `logs___search_logs` is `search_logs`."""
    ids = set(report.root_cause.evidence) if report.root_cause else set()
    return frozenset(record.tool.rpartition("___")[2] for record in report.evidence if record.id in ids)


def table(sights: Sequence[Sight]) -> str:
    """Render a Markdown table: for each cause in how many cases it was concluded, and by which operations."""
    lines = ["| cause | concluded | not without |", "| --- | --- | --- |"]
    for cause in sorted({one.expected.cause for one in sights}):
        own = [one for one in sights if one.expected.cause == cause]
        lines.append(f"| `{cause}` | {sum(one.seen for one in own)} of {len(own)} | {_deciding(own)} |")
    unseen = sorted({one.expected.cause for one in sights} - {one.expected.cause for one in sights if one.seen})
    return "\n".join([*lines, "", f"{len(lines) - 2 - len(unseen)} of {len(lines) - 2} causes can be seen. {', '.join(unseen)}".strip()])


def _deciding(sights: Sequence[Sight]) -> str:
    decisive = sorted({name for one in sights for name in one.decisive})
    if decisive:
        return ", ".join(f"`{name}`" for name in decisive)
    cited = sorted({name for one in sights for name in one.cited})
    return f"any of {', '.join(f'`{name}`' for name in cited)}" if cited else "not concluded"


def count(sights: Sequence[Sight]) -> dict[str, float]:
    """Count what is compared between runs."""
    causes = {one.expected.cause for one in sights}
    return {"cases": len(sights), "causes, all": len(causes), "causes": len({one.expected.cause for one in sights if one.seen})}

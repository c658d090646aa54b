"""Run the suites, over labelled cases or over the recordings that ship, and count what was right."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import batched, chain
from pathlib import Path

from evals.cases.case import Case, find_cases
from evals.cases.recording import write_recording
from evals.cases.run import CONFIDENT, PROMPT, CountedTools, to_verdict
from evals.recorded_tools import RecordedTools
from evals.score import Verdict, show_progress
from evals.suites.build import build_decoys, build_healthy, build_two_faults, is_about_an_application
from evals.suites.enlarge import enlarge
from evals.suites.incident import Incident, read_incident
from evals.suites.rename import rename
from sre_agent import supervisor
from sre_agent.reasoners import DEFAULT, create_reasoner
from sre_agent.reasoners.rules.vocabulary import CAUSES
from sre_services.recording import SHIPPED

MOST_HEALTHY = 15
MOST_OF_A_CAUSE = 2  # cases that are renamed
OURS = {
    "crash-loop": Verdict("bad_configuration", "app/payment-service"),
    "memory-leak": Verdict("memory_leak", "app/catalog-service"),
}


@dataclass(frozen=True, kw_only=True)
class Result:
    """One built incident, and what was said about it."""

    suite: str
    name: str
    expected: tuple[Verdict, ...]
    said: tuple[Verdict, ...]
    verdict: str
    confidence: float
    calls: int
    seconds: float

    @property
    def right(self) -> bool:
        """Healthy: nothing wrong. Two faults: both are named. All others: the first answer is what is expected of the case."""
        if not self.expected:
            return self.verdict == "nothing_wrong"
        return set(self.expected) <= set(self.said) if len(self.expected) > 1 else self.said[:1] == self.expected

    @property
    def confident_error(self) -> bool:
        """True where the first answer is wrong, and stated with high confidence."""
        return bool(self.said) and self.said[0] not in self.expected and self.confidence >= CONFIDENT


def run(folder: Path | None, workers: int = 1, only: Sequence[str] = (), shipped: Sequence[str] = tuple(OURS)) -> Iterator[Result]:
    """Build all suites, or those whose name contains a word of `only`, and ask about each incident.

    They are built from the labelled cases of the folder; without one from these of the recordings that ship.
    """
    incidents = read_cases(folder) if folder else _read_shipped(shipped)
    chosen = {suite: build for suite, build in SUITES.items() if not only or any(word in suite for word in only)}
    jobs = ((suite, one) for suite, build in chosen.items() for one in build(incidents))
    yield from show_progress(_ask_all(jobs, workers), "suites")


def _ask_all(jobs: Iterator[tuple[str, Incident]], workers: int) -> Iterator[Result]:
    """Ask about each incident; they are built meanwhile, because all of them take gigabytes."""
    if workers == 1:
        yield from map(_ask, jobs)
        return
    with ProcessPoolExecutor(workers) as pool:
        for some in batched(jobs, 4 * workers):
            yield from pool.map(_ask, some)


def _healthy(incidents: Sequence[Incident]) -> Iterator[Incident]:
    """Only faults of performance leave the objects as they were: of all others no state before them was recorded."""
    fitting = [one for one in incidents if CAUSES[one.expected[0].cause].area == "performance"] if incidents else []
    return build_healthy(fitting[:MOST_HEALTHY])


def _two_faults(incidents: Sequence[Incident]) -> Iterator[Incident]:
    applications = [one for one in incidents if is_about_an_application(one.expected[0])]
    return build_two_faults(applications)


def _renamed(incidents: Sequence[Incident]) -> Iterator[Incident]:
    """Some of each cause: those that were not chosen differ from them in the service only."""
    by_cause: dict[str, list[Incident]] = {}
    for one in incidents:
        by_cause.setdefault(one.expected[0].cause, []).append(one)
    return map(rename, chain.from_iterable(own[:MOST_OF_A_CAUSE] for own in by_cause.values()))


def _enlarged(incidents: Sequence[Incident]) -> Iterator[Incident]:
    return map(enlarge, _renamed(incidents))


SUITES: Mapping[str, Callable[[Sequence[Incident]], Iterator[Incident]]] = {
    "healthy": _healthy,
    "two faults": _two_faults,
    "decoys": build_decoys,
    "renamed": _renamed,
    "enlarged": _enlarged,
}


def read_cases(folder: Path) -> list[Incident]:
    """Read every labelled case below a folder."""
    return list(show_progress(map(_read_case, find_cases(folder)), "reading cases"))


def _read_case(case: Case) -> Incident:
    with tempfile.TemporaryDirectory() as written:
        found = read_incident(write_recording(case, Path(written)), case.name, case.expected)
    return replace(found, runbooks=SHIPPED / "healthy" / "runbooks")


def _read_shipped(names: Sequence[str]) -> list[Incident]:
    return [read_incident(SHIPPED / name, name, OURS[name]) for name in names]


def _ask(job: tuple[str, Incident]) -> Result:
    suite, incident = job
    with tempfile.TemporaryDirectory() as folder:
        tools = CountedTools(RecordedTools(str(incident.write(Path(folder)))))
        started = time.process_time()
        report = asyncio.run(supervisor.investigate(PROMPT, tools, create_reasoner(DEFAULT, {})))
        seconds = time.process_time() - started
    causes = [report.root_cause, *(other for other in report.other_causes if other.role == "further")] if report.root_cause else []
    said = tuple(to_verdict(cause) for cause in causes)
    confidence = report.root_cause.confidence.score if report.root_cause else 0.0
    return Result(
        suite=suite,
        name=incident.name,
        expected=incident.expected,
        said=said,
        verdict=report.verdict,
        confidence=confidence,
        calls=tools.calls,
        seconds=seconds,
    )


def table(results: Sequence[Result]) -> str:
    """Render what was not right, then the score of each suite."""
    lines = [
        f"NO {one.suite}: {one.name}: {_words(one.said) or one.verdict}; expected {_words(one.expected) or 'nothing wrong'}"
        for one in results
        if not one.right
    ]
    lines += [_total(suite, [one for one in results if one.suite == suite]) for suite in dict.fromkeys(one.suite for one in results)]
    return "\n".join(lines)


def _total(suite: str, own: Sequence[Result]) -> str:
    errors, seconds = sum(one.confident_error for one in own), sorted(one.seconds for one in own)
    right, calls = sum(one.right for one in own), max(one.calls for one in own)
    return (
        f"{suite:<12} {right} of {len(own)}, confident errors {errors}, most calls {calls}, "
        f"seconds median {seconds[len(seconds) // 2]:.2f} worst {seconds[-1]:.2f}"
    )


def _words(verdicts: Sequence[Verdict]) -> str:
    return ", ".join(f"{one.cause} {one.object}" for one in verdicts)


def count(results: Sequence[Result]) -> dict[str, float]:
    """Count what is compared between runs."""
    figures: dict[str, float] = {}
    for suite in dict.fromkeys(one.suite for one in results):
        own = [one for one in results if one.suite == suite]
        figures |= {suite: sum(one.right for one in own), f"{suite}, all": len(own)}
        figures |= {f"{suite}, confident errors": sum(one.confident_error for one in own)}
        figures |= {f"{suite}, most calls": max(one.calls for one in own)}
    return figures

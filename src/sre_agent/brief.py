"""The short answer of a report, in at most twelve lines: the answer first, then why, then what to do next."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sre_agent.lookups.capabilities import LINES
from sre_agent.render import ROLES, escape_markdown, render_confidence, render_title
from sre_agent.report import Claim, Report, RootCause
from sre_agent.runbook_commands import fill_names
from sre_core import clock

MOST_LINES = 12
MOST_REASONS = 3
MOST_OTHERS = 2
MOST_CITED = 3
LONGEST_LINE = 240


def render_brief(report: Report) -> str:
    """Render the short answer as Markdown."""
    lines = list(_lookup(report) if report.headline else _diagnosis(report))
    return "\n".join(lines) + "\n"


def _lookup(report: Report) -> Iterator[str]:
    yield f"# {escape_markdown(report.headline)}"
    yield from _incomplete(report)
    yield from (escape_markdown(note) for note in report.notes)
    yield from (f"- {_shorten(claim.what)}{_cited(claim.evidence)}" for claim in report.findings)
    if report.hint:
        yield escape_markdown(report.hint)


def _diagnosis(report: Report) -> Iterator[str]:
    cause = report.root_cause
    yield _headline(report, cause)
    yield from _incomplete(report)
    yield from (escape_markdown(note) for note in report.notes)
    if cause is None:
        yield from _without_cause(report)
        return
    yield render_confidence(cause)
    yield from _since(report)
    yield from (f"Why: {_shorten(claim.what)}{_cited(claim.evidence)}" for claim in _reasons(report))
    if cause.affected:
        yield f"Affected: {', '.join(map(escape_markdown, cause.affected))}"
    yield from _other_causes(report)
    yield from _next(report)


def _other_causes(report: Report) -> Iterator[str]:
    """Name what failed besides, then what explains the complaint second best."""
    for cause in report.other_causes[:MOST_OTHERS]:
        # Two numbers that say nearly the same would hide which explanation is the better one.
        weight = f"less likely: {escape_markdown(cause.against)}" if cause.against else f"{cause.confidence.score:.2f}"
        yield f"{ROLES[cause.role]}: {_shorten(cause.summary)} ({weight}){_cited(cause.evidence)}"


def _headline(report: Report, cause: RootCause | None) -> str:
    if cause:
        return f"# {render_title(cause)}"
    since, until = report.scope["since"], report.scope["until"]
    during = f" from {escape_markdown(since)} to {escape_markdown(until)}" if until != "now" else ""
    return f"# {'Nothing wrong was found' if report.verdict == 'nothing_wrong' else 'Not enough evidence for a root cause'}{during}"


def _incomplete(report: Report) -> Iterator[str]:
    """Say in the first lines which evidence was asked for and is missing."""
    failed = report.failed
    if failed:
        tools = ", ".join(dict.fromkeys(escape_markdown(gap.what.partition("___")[2] or gap.what) for gap in failed))
        calls = "1 call" if len(failed) == 1 else f"{len(failed)} calls"
        yield f"**Incomplete**: {calls} failed, so this rests on less evidence than was asked for: {tools}"
    if report.unseen:
        yield f"**Partly seen**, so there may be more: {', '.join(map(escape_markdown, report.unseen))}"


def _without_cause(report: Report) -> Iterator[str]:
    if report.verdict == "nothing_wrong":
        service = "all services" if report.scope["service"] == "all" else report.scope["service"]
        yield f"Looked at: {escape_markdown(service)}, {len(report.evidence)} pieces of evidence"
        yield from (f"- not seen: {escape_markdown(gap.what)}: {escape_markdown(gap.why)}" for gap in report.gaps[:2] if not gap.failed)
        yield from (f"- {escape_markdown(line)}" for line in LINES)
        return
    yield from (f"- {_shorten(claim.what)}{_cited(claim.evidence)}" for claim in report.findings[:4])
    yield from (f"- not seen: {escape_markdown(gap.what)}: {escape_markdown(gap.why)}" for gap in report.gaps[:2] if not gap.failed)
    yield from _next(report)


def _since(report: Report) -> Iterator[str]:
    first = next((moment for moment in report.timeline if moment.at), None)
    if first and first.at:
        yield f"Since: {clock.stamp(first.at)}, {_shorten(first.what)}{_cited(first.evidence)}"


def _reasons(report: Report) -> list[Claim]:
    """Return the first findings, which are those of the cause; of two that differ only in numbers and generated names, one."""
    different = {re.sub(r"\S*\d\S*", "#", claim.what): claim for claim in reversed(report.findings)}
    return [claim for claim in report.findings if claim in different.values()][:MOST_REASONS]


def _next(report: Report) -> Iterator[str]:
    """Give the first step that changes something, else the first step; of a suspicion the first that only looks."""
    cause = report.root_cause
    changes = not (cause and cause.confidence.word == "low")
    steps = [step for step in report.next_steps if step.needs_approval == changes] or list(report.next_steps)
    if steps:
        approval = " **(needs approval: it changes something)**" if steps[0].needs_approval else ""
        namespace = report.subject.get("namespace", "") or (cause.ref.namespace if cause else "")
        text = fill_names(steps[0].text, {"NAME": cause.service if cause else "", "NAMESPACE": namespace})
        yield f"Next: {escape_markdown(text)} Runbook {escape_markdown(steps[0].runbook)}{approval}{_cited(steps[0].evidence)}"


def _shorten(text: str) -> str:
    """Return a text as one line that a terminal can show; the whole text is in the evidence."""
    flat = " ".join(text.split())
    return escape_markdown(flat if len(flat) <= LONGEST_LINE else f"{flat[: LONGEST_LINE - 2]} …")


def _cited(ids: tuple[str, ...]) -> str:
    more = f" and {len(ids) - MOST_CITED} more" if len(ids) > MOST_CITED else ""
    return f" ({', '.join(ids[:MOST_CITED])}{more})" if ids else ""

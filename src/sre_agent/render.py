"""A report as Markdown: root cause first, every claim with the ids that prove it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sre_agent.evidence import Evidence
from sre_agent.report import Claim, Report, RootCause, Step
from sre_core import clock

# Characters that format, link or embed inside a line. Underscores within words, as in names of tools, do not.
_SPECIAL = re.compile(r"([\\`*\[\]<>|~]|(?<!\w)_|_(?!\w)|:(?=//)|(?<=\bwww)\.)", re.IGNORECASE)
# Characters that control a terminal (escape sequences), change the order of a line (bidirectional overrides), or are not seen.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f\ud800-\udfff]"
)
_STARTS_BLOCK = re.compile(r"^(#*)([#+.)-])(?=\s)|^(\d+)([.)])(?=\s)")
_EVIDENCE = "\n\n## Evidence\n"
ROLES = {"first": "First", "further": "Also", "second_best": "Second best explanation"}
_HEADLINES = {
    "nothing_wrong": "Nothing wrong was found",
    "not_enough_evidence": "Not enough evidence for a root cause",
}


def render_markdown(report: Report) -> str:
    """Render the whole report for people."""
    return "\n".join(_lines(report)) + "\n"


def cut_evidence(report: str) -> str:
    """Cut the evidence records off a rendered report: they are long, and `sre-agent evidence` shows each.

    No text from outside can contain the heading at which it is cut: each becomes one escaped line.
    """
    return report.partition(_EVIDENCE)[0].rstrip("\n") + "\n"


def escape_markdown(text: str) -> str:
    """Escape text from outside to one line of Markdown that formats, links and structures nothing."""
    return _STARTS_BLOCK.sub(r"\1\3\\\2\4", _SPECIAL.sub(r"\\\1", replace_control_characters(" ".join(text.split()))))


def replace_control_characters(text: str) -> str:
    """Replace each character of a text from outside that a terminal would execute or hide."""
    return _CONTROL.sub("\ufffd", text)


def render_code_block(text: str) -> list[str]:
    """Render text from outside as a code block that the text can't close."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}text", *(replace_control_characters(line) for line in text.splitlines() or [""]), fence]


def render_title(cause: RootCause) -> str:
    """Render the root cause in one line, which says where it is a suspicion only."""
    return f"{'Suspected root cause' if cause.confidence.word == 'low' else 'Root cause'}: {escape_markdown(cause.summary)}"


def render_confidence(cause: RootCause) -> str:
    """Render the confidence with what it rests on."""
    caution = ": confirm it before you act" if cause.confidence.word == "low" else ""
    return f"Confidence: {cause.confidence.word} ({cause.confidence.score:.2f}){caution} · evidence: {', '.join(cause.evidence)}"


def _lines(report: Report) -> Iterator[str]:
    yield from _conclusion(report)
    yield from _other_causes(report.other_causes)
    yield from _claims("Answer" if report.headline else "What was seen", report.findings)
    yield from (("", escape_markdown(report.hint)) if report.hint else ())
    yield from _timeline(report.timeline)
    yield from _claims("Ruled out", report.ruled_out)
    yield from _gaps(report)
    yield from _steps(report.next_steps)
    yield from _claims("What was checked", report.checked)
    yield from _evidence(report)
    yield from _footer(report)


def _conclusion(report: Report) -> Iterator[str]:
    cause = report.root_cause
    if cause is None:
        yield f"# {escape_markdown(report.headline) or _HEADLINES[report.verdict]}"
        yield from _notes(report)
        yield ""
        yield f"Asked: {escape_markdown(report.prompt)}"
        return
    yield f"# {render_title(cause)}"
    yield from _notes(report)
    yield ""
    yield render_confidence(cause)
    yield ""
    yield f"Asked: {escape_markdown(report.prompt)}"
    yield from _reasons(cause)


def _notes(report: Report) -> Iterator[str]:
    """Say first what restricts the answer: what was not seen, or a language model that failed."""
    if report.unseen:
        yield from ("", f"**Partly seen**, so there may be more: {', '.join(map(escape_markdown, report.unseen))}")
    yield from (line for note in report.notes for line in ("", escape_markdown(note)))


def _reasons(cause: RootCause) -> Iterator[str]:
    yield ""
    yield "Why this and not something else:"
    yield ""
    yield from (f"- {escape_markdown(reason)}" for reason in cause.reasons)
    if cause.affected:
        yield ""
        yield f"Affected by it: {', '.join(escape_markdown(service) for service in cause.affected)}"


def _other_causes(causes: tuple[RootCause, ...]) -> Iterator[str]:
    """Render what failed besides, and what explains the complaint second best."""
    if not causes:
        return
    yield from ("", "## Other causes", "")
    for cause in causes:
        against = f"; less likely: {escape_markdown(cause.against)}" if cause.against else ""
        confidence = f"confidence {cause.confidence.word}, {cause.confidence.score:.2f}"
        yield f"- {ROLES[cause.role]}: {escape_markdown(cause.summary)} ({confidence}{against}){_cited(cause.evidence)}"


def _claims(title: str, claims: tuple[Claim, ...]) -> Iterator[str]:
    if not claims:
        return
    yield from ("", f"## {title}", "")
    for claim in claims:
        why = f": {escape_markdown(claim.why)}" if claim.why else ""
        yield f"- {escape_markdown(claim.what)}{why}{_cited(claim.evidence)}"


def _timeline(moments: tuple[Claim, ...]) -> Iterator[str]:
    if not moments:
        return
    yield from ("", "## Timeline", "")
    for moment in moments:
        yield f"- {clock.stamp(moment.at) if moment.at else '?'} {escape_markdown(moment.what)}{_cited(moment.evidence)}"


def _gaps(report: Report) -> Iterator[str]:
    if not report.gaps:
        return
    yield from ("", "## What could not be seen", "")
    yield from (f"- {escape_markdown(gap.what)}: {escape_markdown(gap.why)}" for gap in report.gaps)


def _steps(steps: tuple[Step, ...]) -> Iterator[str]:
    if not steps:
        return
    yield from ("", "## Next steps", "")
    title = ""
    for number, step in enumerate(steps, 1):
        if step.title != title:
            title = step.title
            yield f"From runbook {escape_markdown(step.runbook)}, {escape_markdown(title)}{_cited(step.evidence)}:"
            yield ""
        yield f"{number}. {escape_markdown(step.text)}{' **(needs approval: it changes something)**' if step.needs_approval else ''}"


def _evidence(report: Report) -> Iterator[str]:
    """Render the records that the conclusion cites. All others are kept with the report: `sre-agent evidence ID` shows each."""
    cited = {evidence for claim in (*report.findings, *report.timeline) for evidence in claim.evidence}
    cited |= set(report.root_cause.evidence) if report.root_cause else set()
    records = [record for record in report.evidence if record.id in cited]
    if not records:
        return
    yield from ("", "## Evidence")
    for record in records:
        yield from ("", *render_evidence(record))


def render_evidence(record: Evidence) -> list[str]:
    """Render one record: its id, the call, its time, and the excerpt."""
    arguments = ", ".join(f"{name}={escape_markdown(str(value))}" for name, value in record.arguments.items()) or "none"
    happened = f" · happened {clock.stamp(record.happened)}" if record.happened else ""
    return [
        f"### {record.id}",
        "",
        f"tool: {escape_markdown(record.tool)} · arguments: {arguments} · time: {clock.stamp(record.at)}{happened}",
        "",
        *render_code_block(record.excerpt),
        "",
        f"sha256 of the full answer: {record.sha256}",
    ]


def _footer(report: Report) -> Iterator[str]:
    seconds = (report.finished_at - report.started_at).total_seconds()
    yield from ("", "---", "", f"Investigation {report.investigation_id} · reasoner: {escape_markdown(report.reasoner)} · {seconds:.2f} s")


def _cited(ids: tuple[str, ...]) -> str:
    return f" ({', '.join(ids)})" if ids else ""

"""Kept reports, so that evidence can be read after the answer has scrolled away."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sre_agent.ask import Reply
from sre_agent.evidence import Evidence, investigation_of
from sre_agent.render import render_evidence, replace_control_characters
from sre_core import atomic_file, clock
from sre_core.problem import Problem, Refused

_EVIDENCE_ID = re.compile(r"inv-[0-9a-f]{4,32}-e[0-9]{1,6}")
_INVESTIGATION_ID = re.compile(r"inv-[0-9a-f]{4,32}")


def save_report(folder: Path, reply: Reply) -> Path:
    """Keep the report as JSON and Markdown, readable by its owner only. Returns the Markdown file; raises Refused."""
    if not _INVESTIGATION_ID.fullmatch(reply.investigation_id):
        raise Refused(_not_kept(folder, f"{reply.investigation_id!r} is not the id of an investigation."))
    markdown = folder / f"{reply.investigation_id}.md"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path, text in ((markdown.with_suffix(".json"), format_report(reply)), (markdown, reply.markdown)):
            atomic_file.write(path, text.encode(), mode=0o600)
    except OSError as error:
        raise Refused(_not_kept(folder, str(error))) from error
    return markdown


def format_report(reply: Reply) -> str:
    """Format the report for programs."""
    return json.dumps(reply.report, indent=2, ensure_ascii=False) + "\n"


def find_evidence(folder: Path, evidence_id: str) -> Evidence:
    """Find evidence by its id in the reports of `folder`. Raises Refused when it is not there."""
    if not _EVIDENCE_ID.fullmatch(evidence_id):
        raise Refused(_not_an_id(evidence_id))
    try:
        report = json.loads((folder / f"{investigation_of(evidence_id)}.json").read_text(encoding="utf-8"))
        return next(_parse(record) for record in report["evidence"] if record["id"] == evidence_id)
    except FileNotFoundError as error:
        raise Refused(_unknown(evidence_id, folder)) from error
    except StopIteration as error:
        raise Refused(_unknown(evidence_id, folder)) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused(_damaged(folder, evidence_id)) from error


@dataclass(frozen=True)
class Kept:
    """One kept report: its id, when it was asked, the question, and the first line of its answer."""

    id: str
    at: str
    prompt: str
    answer: str

    def to_json(self) -> dict[str, str]:
        return {"id": self.id, "time": self.at, "prompt": self.prompt, "answer": self.answer}


def list_reports(folder: Path) -> tuple[Kept, ...]:
    """List the reports of a folder, the newest first. A file that is no report is left out."""
    found = []
    for path in folder.glob("inv-*.json"):
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
            cause = report.get("root_cause") or {}
            answer = str(report.get("headline") or cause.get("summary") or report["verdict"])
            found.append(Kept(path.stem, str(report["finished_at"]), str(report["prompt"]), answer))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return tuple(sorted(found, key=lambda kept: kept.at, reverse=True))


def format_list(kept: tuple[Kept, ...], *, as_json: bool) -> str:
    """Format a list of reports for the terminal."""
    if as_json:
        return json.dumps([report.to_json() for report in kept], indent=2, ensure_ascii=False) + "\n"
    lines = [f"{report.id} {report.at} {_line(report.prompt)}\n    {_line(report.answer)}" for report in kept]
    return "\n".join(lines or ["No report is kept yet."]) + "\n"


def read_report(folder: Path, report_id: str, *, as_json: bool) -> str:
    """Read one kept report. Raises Refused when it is not there."""
    path = folder / f"{report_id}{'.json' if as_json else '.md'}"
    if not _INVESTIGATION_ID.fullmatch(report_id) or not path.is_file():
        raise Refused(_no_report(report_id, folder))
    return path.read_text(encoding="utf-8")


def _line(text: str) -> str:
    return replace_control_characters(" ".join(text.split()))[:140]


def format_evidence(record: Evidence, *, as_json: bool) -> str:
    """Format one record for the terminal."""
    if as_json:
        return json.dumps(record.to_json(), indent=2, ensure_ascii=False) + "\n"
    return "\n".join(render_evidence(record)) + "\n"


def _parse(record: Mapping[str, object]) -> Evidence:
    arguments = record["arguments"]
    return Evidence(
        id=str(record["id"]),
        tool=str(record["tool"]),
        arguments=dict(arguments) if isinstance(arguments, dict) else {},
        at=clock.parse(str(record["time"])),
        excerpt=str(record["excerpt"]),
        sha256=str(record["sha256"]),
        happened=clock.parse(str(record["happened"])) if record.get("happened") else None,
    )


def _unknown(evidence_id: str, folder: Path) -> Problem:
    return Problem(
        code="EVIDENCE-UNKNOWN",
        what=f"No report in {folder} has the evidence {evidence_id}.",
        why="That folder holds the reports of the questions that this user asked on this machine.",
        do=(
            "Copy an id from a report that sre-agent --prompt printed.",
            "If the question was asked with --output-dir DIR: sre-agent --output-dir DIR evidence ID",
        ),
    )


def _no_report(report_id: str, folder: Path) -> Problem:
    return Problem(
        code="REPORT-UNKNOWN",
        what=f"There is no report {report_id!r} in {folder}.",
        why="That folder holds the reports of the questions that this user asked on this machine.",
        do=("List them: sre-agent reports", "If the question was asked with --output-dir DIR: sre-agent --output-dir DIR report ID"),
    )


def _not_an_id(text: str) -> Problem:
    return Problem(
        code="EVIDENCE-ID-INVALID",
        what=f"{text!r} is not an evidence id.",
        why="An evidence id looks like inv-7c2f91ab-e12.",
        do=("Copy one from a report: every claim there ends with its ids in parentheses.",),
    )


def _damaged(folder: Path, evidence_id: str) -> Problem:
    return Problem(
        code="REPORT-DAMAGED",
        what=f"The report that holds {evidence_id} can't be read.",
        why=f"{folder / investigation_of(evidence_id)}.json is not a report that this version wrote.",
        do=('Ask again: sre-agent --prompt "What is wrong right now?"',),
    )


def _not_kept(folder: Path, reason: str) -> Problem:
    return Problem(
        code="REPORT-NOT-KEPT",
        what=f"The report was printed, but it could not be stored in {folder}.",
        why=reason,
        do=(
            f"Make {folder} writable, or name another folder: sre-agent --output-dir DIR --prompt TEXT",
            "To keep this report, copy it from the terminal: asking again makes a new one.",
        ),
    )

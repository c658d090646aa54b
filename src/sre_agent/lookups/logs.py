"""Logs: the lines of a service, its errors, or the services that log most errors."""

from __future__ import annotations

import json
import re

from sre_agent.evidence import Answer
from sre_agent.lookups.lookup import Lookup, Said, View
from sre_agent.observations import LogLine
from sre_agent.question.intent import cue
from sre_agent.reading import objects, text
from sre_agent.report import Claim
from sre_agent.specialists.logs import parse_records
from sre_core import clock

MOST_RECORDS = 6
MOST_PAGES = 6
_ERRORS = re.compile(r"\b(errors?|exceptions?|fatal|stack ?traces?|failures?|complain\w*)\b")
_QUOTED = re.compile(r"[\"“]([^\"”]{2,80})[\"”]")


async def look(view: View) -> Said:
    """Show the newest lines, or the newest errors; without a subject, count the errors of each service."""
    quoted = _QUOTED.search(view.prompt)
    if quoted:
        return await _search(view, quoted[1])
    if not view.subject:
        return await _count(view)
    if _ERRORS.search(view.words):
        answer = await view.call("get_error_logs", service=view.name, since=view.scope.window)
        return _records(view, answer, "error", f" {view.during}")
    return await _recent(view)


async def _recent(view: View) -> Said:
    """Show the newest lines; where a time is named, those of that time."""
    if view.scope.named:
        return await _during(view)
    answer = await view.call("get_recent_logs", service=view.name, limit=MOST_RECORDS)
    lines = list(parse_records(answer))
    return _said(
        view, lines, f"The newest {len(lines)} log lines of {view.name}", f"Only its errors: errors of {view.name} in the last 2 hours"
    )


async def _during(view: View) -> Said:
    """Show the newest lines of a named time. The tool answers for all services at once, so it is read page by page."""
    own: list[LogLine] = []
    end, complete = view.scope.end, False
    for _ in range(MOST_PAGES):
        answer = await view.call("search_logs", start_time=view.scope.start, end_time=end)
        lines = list(parse_records(answer))
        own += [line for line in lines if line.service == view.name]
        complete = not answer.truncated
        if complete or len(own) >= MOST_RECORDS or not lines or not lines[-1].at:
            break
        end = text(objects(answer.data, "items")[-1], "time")
    count = str(len(own)) if complete else f"The newest {len(own)}"
    return _said(view, own, f"{count if own else 'No'} log lines of {view.name} {view.during}", "")


async def _search(view: View, wanted: str) -> Said:
    answer = await view.call("search_logs", pattern=re.escape(wanted), start_time=view.scope.start, end_time=view.scope.end)
    lines = [line for line in parse_records(answer) if not view.subject or line.service == view.name]
    # The tool answers for all services at once: its total is that of one only where it gave every line.
    total = len(lines) if view.subject else int(text(answer.data, "total") or len(lines))
    newest = "The newest " if view.subject and answer.truncated and lines else ""
    count = f"{newest}{total or 'No'} line{'' if total == 1 else 's'} with “{wanted}”"
    return _said(view, lines, f"{count}{view.of_subject} {view.during}", "")


async def _count(view: View) -> Said:
    answer = await view.call("count_log_events", event_type="error", time_window=view.scope.window)
    groups = objects(answer.data, "items")
    lines = [
        Claim(
            what=f"{text(group, 'group')}: {text(group, 'count')} errors, {text(group, 'count_before')} in the equally long time before",
            evidence=view.cite(answer, json.dumps(group)),
        )
        for group in groups[:MOST_RECORDS]
    ]
    total = text(answer.data, "summary", "count") or "0"
    return Said(headline=f"{total} errors were logged {view.during}", lines=lines, hint="Name a service to see its lines.")


def _records(view: View, answer: Answer, noun: str, during: str) -> Said:
    lines = list(parse_records(answer))
    total = int(text(answer.data, "total") or len(lines))
    count = f"{total} {noun}{'' if total == 1 else 's'}" if total else f"No {noun}"
    return _said(view, lines, f"{count}{view.of_subject}{during}", "")


def _said(view: View, lines: list[LogLine], headline: str, hint: str) -> Said:
    """Show the newest lines; those that say the same are one line with their number."""
    groups: dict[str, list[LogLine]] = {}
    for line in lines:
        groups.setdefault(re.sub(r"\b[0-9a-f]*\d[0-9a-f]*\b", "#", line.message), []).append(line)
    claims = [
        Claim(
            what=f"{_describe(same[0])}{f' ({len(same)} times)' if len(same) > 1 else ''}",
            at=same[0].at,
            evidence=(view.log.record(same[0].source),),
        )
        for same in list(groups.values())[:MOST_RECORDS]
    ]
    return Said(headline=headline if lines else headline.replace("The newest 0", "No"), lines=claims, hint=hint, subject=view.subject)


def _describe(line: LogLine) -> str:
    return f"{clock.stamp(line.at) if line.at else '?'} {line.message[:180]}"


LOOKUP = Lookup(
    kind="logs",
    example="Show the logs of orders since 14:00.",
    look=look,
    cues=(
        cue(9, r"\bcount (the )?errors\b|\berrors?\b.*\b(per|by) service\b|\bmost error (lines|messages|logs)\b"),
        cue(8, r"\blogs?\b(?! in\b)"),
        cue(8, r"^(please |can you |could you )?(tail|grep)\b"),
        cue(8, r"\b(written|printed|logged) by\b"),
        cue(5, r"\b(logged|logging|stack ?traces?|log (lines|entries|output))\b"),
        cue(6, r"\berror (messages|lines|log)|\b(last|latest|recent|newest|show|list|see|which|what|any)\b.*\b(errors|exceptions)\b"),
        cue(6, r"\bhow many (errors|exceptions|warnings)\b|\berrors (of|from|in)\b|\b(who|which service|what)\b.*\bmost errors\b"),
        cue(5, r"\bwhat (is|does|did|has)\b.{1,40}\b(say|saying|print|printed|printing|write|writing|output|complain\w*)\b"),
        cue(6, r"\bwhat\b.{1,40}\b(wrote|writes|said|says|printed|prints|logged|logs)\b"),
        cue(6, r"\b(what|everything|anything|exceptions?|errors?)\b.{0,40}\b(throw(s|ing|n)?|threw|spit(s|ting)?|spat|spew(s|ing)?)\b"),
        cue(
            7,
            r"\b(who|what|which)\b.{0,30}\b(spam\w*|flood\w*|spew\w*|emit\w*)\b|\b(top|worst|biggest)\b.{0,20}\b(by|of) (logged )?errors\b",
        ),
        cue(8, r"\b(last|latest|newest|recent|final)( few| couple of| \d+)? (lines|entries|messages|output)\b|\b(stderr|stdout)\b"),
        cue(3, r"\berrors?\b|\berrs\b|\bexceptions?\b"),
    ),
)

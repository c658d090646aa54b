"""The readiness checklist and the maintenance calendar, and how they look: text, Markdown, a page, iCalendar (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from sre_agent_deploy.report.render import render_page
from sre_core import clock

type Status = Literal["done", "open", "unknown"]


@dataclass(frozen=True)
class Item:
    """One line of the checklist: its evidence, and what to do about what is open, with commands between backticks."""

    id: str
    title: str
    status: Status
    evidence: str
    do: str = ""


@dataclass(frozen=True)
class Task:
    """Something that is due at a time, and again after `every_days`."""

    id: str
    title: str
    due: datetime
    every_days: int
    do: str

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "due": clock.stamp(self.due)}


_SIGNS = {"done": "[x]", "open": "[ ]", "unknown": "[?]"}


def count_items(items: Sequence[Item]) -> str:
    """Say in one line how many items are done, open and unknown."""
    return ", ".join(f"{sum(item.status == status for item in items)} {status}" for status in ("done", "open", "unknown"))


def render_text(items: Sequence[Item]) -> str:
    """Render the checklist for a terminal."""
    lines = [f"  {item.status:8} {item.title}: {item.evidence}" + (f"\n{'':11}do: {item.do}" if item.do else "") for item in items]
    return "\n".join((*lines, count_items(items)))


def render_markdown(deployment: str, items: Sequence[Item]) -> str:
    """Render the checklist as a list of tasks."""
    lines = [f"- {_SIGNS[item.status]} **{item.title}**: {item.evidence}" + (f"\n  Do: {item.do}" if item.do else "") for item in items]
    return "\n".join((f"# Is {deployment} ready for production?", "", f"{count_items(items)}.", "", *lines, ""))


def render_html(deployment: str, items: Sequence[Item], when: str) -> str:
    """Render the checklist as one self-contained page."""
    return render_page(
        "readiness.html", title=f"Readiness of {deployment}", deployment=deployment, items=items, counts=count_items(items), when=when
    )


def render_calendar(deployment: str, tasks: Sequence[Task], now: datetime) -> str:
    """Render the calendar (RFC 5545): an all-day event for each task, which repeats as the task does."""
    events = [line for task in tasks for line in _event(deployment, task, now)]
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//sre-agent//maintenance//EN", *events, "END:VCALENDAR", ""]
    return "\r\n".join(folded for line in lines for folded in _fold(line))


def _event(deployment: str, task: Task, now: datetime) -> tuple[str, ...]:
    repeat = (f"RRULE:FREQ=DAILY;INTERVAL={task.every_days}",) if task.every_days else ()
    return (
        "BEGIN:VEVENT",
        f"UID:{task.id}@{deployment}",
        f"DTSTAMP:{now:%Y%m%dT%H%M%SZ}",
        f"DTSTART;VALUE=DATE:{task.due:%Y%m%d}",
        *repeat,
        f"SUMMARY:{_escape(f'{deployment}: {task.title}')}",
        f"DESCRIPTION:{_escape(task.do)}",
        "END:VEVENT",
    )


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def _fold(line: str) -> list[str]:
    """Cut a line into pieces of at most 75 bytes, each but the first behind a space. The texts are ASCII."""
    return [line[:74], *(f" {line[at : at + 73]}" for at in range(74, len(line), 73))]

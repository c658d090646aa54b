"""The answer of an operation: compact JSON that says when it is cut, what was cut and how to ask for the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from starlette.responses import Response

from sre_core.problem import Problem
from sre_core.redaction import redact_secrets
from sre_services.cursor import current_cursor
from sre_services.sources.several import list_failures, list_gaps
from sre_services.timespan import Window

# A model reads every byte of an answer; a long one fills its context and hides the evidence.
CAP_BYTES = 20_000
LONGEST_TEXT = 1_500
# For lists inside an item or a summary; the items themselves are cut by size.
LONGEST_LIST = 60


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Items in order of importance, with a summary. They are cut from the end.

    `total` is there where the items are only the first of those that exist. `note` explains an empty answer; `more` says how to ask
    for what was cut, from the number of items kept where that matters. `unread` says what the source has and was not looked at:
    summary and total are then of a part only.
    """

    as_of: datetime
    items: Sequence[object]
    total: int | None = None
    summary: Mapping[str, object] = field(default_factory=dict)
    window: Window | None = None
    note: str = ""
    unread: str = ""
    more: str | Callable[[int], str] = "Ask for less at once: a shorter time or one name."


class Camel:
    """Marks a dataclass whose fields are rendered in camelCase, as the Kubernetes API spells them."""


def render_answer(answer: Answer) -> Response:
    """Render the answer as JSON of at most CAP_BYTES, from where the cursor of the question says."""
    cursor = current_cursor()
    first, total = cursor.find_next(answer.items), len(answer.items) if answer.total is None else answer.total
    frame: dict[str, object] = {"as_of": answer.as_of}
    if answer.window:
        frame |= {"window": {"start": answer.window.start, "end": answer.window.end}}
    frame |= {"summary": to_json_value(answer.summary), "total": total}
    kept = _convert_fitting(answer.items[first:], CAP_BYTES - len(_encode(to_json_value(frame))) - 900)
    cut = len(kept) < total - first
    # An item that is too large for any answer is not asked for again.
    shown = first + (len(kept) or 1)
    if cut:
        more = answer.more if isinstance(answer.more, str) else answer.more(shown)
        frame |= {"returned": len(kept), "more": more}
    if shown < total and first < len(answer.items):
        frame |= {"cursor": cursor.advance(answer.items, shown, answer.as_of)}
    past = "This is the end of the list." if first >= total > 0 else ""
    failed = list_failures()
    if failed:
        frame["failed_sources"] = {name: problem.code for name, problem in failed.items()}
    missing = (*map(_describe_failure, failed.values(), failed), *_describe_gaps(list_gaps()))
    if note := " ".join(filter(None, (answer.note, past, answer.unread, *missing))):
        frame["note"] = note
    truncated = cut or bool(answer.unread or failed)
    return Response(_encode({**to_json_value(frame), "truncated": truncated, "items": kept}), media_type="application/json")


def _describe_failure(problem: Problem, name: str) -> str:
    return f"The source {name} did not answer, so this is without what it has: {problem.what}"


def _describe_gaps(gaps: Mapping[str, str]) -> Iterator[str]:
    for why in sorted(set(gaps.values())):
        yield f"Nothing is known of {', '.join(sorted(name for name in gaps if gaps[name] == why))}: {why}"


def to_json_value(value: Any) -> Any:
    """Convert a value for JSON: without absent fields and secrets, times in UTC, long texts and lists cut, saying by how much."""
    if is_dataclass(value) and not isinstance(value, type):
        spell = _to_camel_case if isinstance(value, Camel) else str
        parts = {spell(part.name): getattr(value, part.name) for part in fields(value)}
        return {name: to_json_value(part) for name, part in parts.items() if not _is_absent(part)}
    if isinstance(value, Mapping):
        return {clip_text(str(key)): to_json_value(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        cut = [f"… [+{len(value) - LONGEST_LIST} more]"] if len(value) > LONGEST_LIST else []
        return [to_json_value(part) for part in value[:LONGEST_LIST]] + cut
    return _to_json_scalar(value)


def format_time(moment: datetime) -> str:
    """Format a time as ISO 8601 in UTC with a `Z`; milliseconds only where the source has them."""
    precision = "milliseconds" if moment.microsecond else "seconds"
    return moment.astimezone(UTC).isoformat(timespec=precision).removesuffix("+00:00") + "Z"


def clip_text(text: str, longest: int = LONGEST_TEXT) -> str:
    """Hide secrets in a text from outside, and cut it, saying by how much. What is left of a secret that is cut may be no pattern."""
    shown = redact_secrets(text[: 2 * longest])
    if len(text) <= 2 * longest:
        return shown if len(shown) <= longest else f"{shown[:longest]}… [+{len(shown) - longest} characters]"
    return f"{shown[:longest]}… [+{len(text) - longest} characters]"


def _to_camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.title() for other in others)


def _to_json_scalar(value: Any) -> Any:
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float):
        return _round(value)
    return clip_text(value) if isinstance(value, str) else value


def _round(number: float) -> float | int:
    """Round to four significant digits below 1000 and to whole numbers above: more digits are noise that costs context."""
    return round(number) if abs(number) >= 1000 or number == round(number) else float(f"{number:.4g}")


def _is_absent(part: object) -> bool:
    return part is None or (isinstance(part, (str, list, tuple, Mapping)) and not part)


def _convert_fitting(items: Sequence[object], budget: int) -> list[Any]:
    """Convert the first items, as many as fit: of ten thousand pods sixty are shown."""
    kept: list[Any] = []
    for item in items:
        converted = to_json_value(item)
        budget -= len(_encode(converted)) + 1
        if budget < 0:
            break
        kept.append(converted)
    return kept


def _encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")

"""Gaps: what a specialist could not observe, because a tool failed, its answer was cut off, or it returned no data."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator

from sre_agent.calls import MOST_CALLS, SAMPLES, ToolCall
from sre_agent.evidence import Answer, format_call
from sre_agent.observations import Observations
from sre_agent.reading import moment, objects, text
from sre_agent.report import Gap


def record_answers(*answers: Answer, searches: tuple[Answer, ...] = ()) -> Observations:
    """Record the calls of a specialist and the gaps in their answers, with nothing parsed yet.

    An empty answer is a gap, except from `searches`, which look for failures.
    """
    everything = (*answers, *searches)
    gaps = [*_gaps(everything), *_empty(answers)]
    return Observations(
        as_of=max((found for answer in everything if (found := moment(answer.data, "as_of"))), default=None),
        answers=everything,
        gaps=tuple(unique(gaps, key=lambda gap: (gap.what, gap.why))),
    )


def unique[T](records: Iterable[T], key: Callable[[T], Hashable]) -> Iterator[T]:
    """Yield the first record of each key."""
    seen: set[Hashable] = set()
    for record in records:
        if key(record) not in seen:
            seen.add(key(record))
            yield record


def _gaps(answers: Iterable[Answer]) -> Iterator[Gap]:
    for answer in answers:
        if answer.failure:
            yield Gap(answer.tool, f"the tool failed: {answer.failure}", failed=True)
        elif not isinstance(answer.data, dict) or "items" not in answer.data:
            yield Gap(answer.tool, "its answer can't be parsed", failed=True)
        elif answer.truncated:
            yield _describe_cut(answer)


def _describe_cut(answer: Answer) -> Gap:
    """Describe a list of which only the first items were read. What is missing of a sample is in its counts and patterns."""
    operation, read = answer.tool.rpartition("___")[2], len(objects(answer.data, "items"))
    total = text(answer.data, "total")
    whole = operation in SAMPLES or total == str(read)
    unseen = "" if whole else f"{read} of {total} items of {operation}"
    return Gap(answer.call, f"the answer was cut short after {read} of {total} items", unseen=unseen)


def describe_unasked(call: ToolCall) -> Gap:
    """Describe a call for which there was a reason, and no call left."""
    why = f"a question makes at most {MOST_CALLS} calls, and others mattered more"
    return Gap(format_call(call.operation, call.arguments), why, unseen=f"{call.operation}, which was not asked")


def _empty(answers: Iterable[Answer]) -> Iterator[Gap]:
    for answer in answers:
        if not answer.failure and isinstance(answer.data, dict) and answer.data.get("items") == []:
            yield Gap(answer.call, text(answer.data, "note") or "it returned nothing")

"""Gaps: what a specialist could not observe, because a tool failed, its answer was cut off, or it returned no data."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator

from sre_agent.evidence import Answer
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
            yield Gap(
                answer.call, f"the answer was cut short after {len(objects(answer.data, 'items'))} of {text(answer.data, 'total')} items"
            )


def _empty(answers: Iterable[Answer]) -> Iterator[Gap]:
    for answer in answers:
        if not answer.failure and isinstance(answer.data, dict) and answer.data.get("items") == []:
            yield Gap(answer.call, text(answer.data, "note") or "it returned nothing")

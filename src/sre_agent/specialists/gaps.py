"""What every specialist owes the report: the calls it made, and what it could not see."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator

from sre_agent.evidence import Answer
from sre_agent.observations import Observations
from sre_agent.reading import moment, objects, text
from sre_agent.report import Gap


def record_answers(*answers: Answer, searches: tuple[Answer, ...] = ()) -> Observations:
    """The calls as a view with nothing read from them yet: a tool that failed or was cut short is a gap, not silence.

    An empty list of what there should be is a gap. Nothing in `searches`, which look for what is wrong, is good news.
    """
    everything = (*answers, *searches)
    gaps = [*_gaps(everything), *_empty(answers)]
    return Observations(
        as_of=max((found for answer in everything if (found := moment(answer.data, "as_of"))), default=None),
        answers=everything,
        gaps=tuple(unique(gaps, key=lambda gap: (gap.what, gap.why))),
    )


def unique[T](records: Iterable[T], key: Callable[[T], Hashable]) -> Iterator[T]:
    """The records without repetitions; the first of each key stays."""
    met: set[Hashable] = set()
    for record in records:
        if key(record) not in met:
            met.add(key(record))
            yield record


def _gaps(answers: Iterable[Answer]) -> Iterator[Gap]:
    for answer in answers:
        if answer.failure:
            yield Gap(answer.tool, f"the tool failed: {answer.failure}")
        elif not isinstance(answer.data, dict) or "items" not in answer.data:
            yield Gap(answer.tool, "its answer is not in a form that can be read")
        elif answer.truncated:
            yield Gap(
                answer.call, f"the answer was cut short after {len(objects(answer.data, 'items'))} of {text(answer.data, 'total')} items"
            )


def _empty(answers: Iterable[Answer]) -> Iterator[Gap]:
    for answer in answers:
        if not answer.failure and isinstance(answer.data, dict) and answer.data.get("items") == []:
            yield Gap(answer.call, text(answer.data, "note") or "it returned nothing")

"""Parameters that several operations share, with the words that make a model use them right."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, BeforeValidator

from sre_services.timespan import Moment, Span

_TIMES = "a duration until now such as 15m, 2h or 1d; an ISO 8601 time; or start/end in ISO 8601."


def accept_any_case(*words: str) -> BeforeValidator:
    """Accepts the given words in any case: `error` for `ERROR`."""
    spellings = {word.lower(): word for word in words}

    def fold(given: object) -> object:
        return spellings.get(given.strip().lower(), given) if isinstance(given, str) else given

    return BeforeValidator(fold)


def _stripped(given: str) -> str:
    return given.strip()


Namespace = Annotated[
    str,
    Query(description="Kubernetes namespace; 'all' for every one. Default: the namespace of the application.", max_length=63),
    AfterValidator(_stripped),
]
Service = Annotated[
    str,
    Query(description="One service, for example 'payment-service'. Default: all services.", max_length=100),
    AfterValidator(_stripped),
]
Since = Annotated[Span, Query(description=f"How far to look back: {_TIMES}")]
TimeWindow = Annotated[Span, Query(description=f"The time to look at: {_TIMES}")]
StartTime = Annotated[Moment, Query(description="Start: ISO 8601, or a duration before now such as 30m.")]
EndTime = Annotated[Moment, Query(description="End: ISO 8601, a duration before now, or 'now'.")]

"""Parameters of operations: those that several share, described so that a model uses them right, and the check of unknown ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BeforeValidator

from sre_services.cursor import OtherQuestion, identify_question, reading_from
from sre_services.sources.several import collect_failures
from sre_services.syntax import CURSOR, NAME, NAMESPACE
from sre_services.timespan import Moment, Span

_TIMES = "a duration until now such as 15m, 2h or 1d; an ISO 8601 time; or start/end in ISO 8601."


def accept_any_case(*words: str) -> BeforeValidator:
    """Accept the given words in any case: `error` for `ERROR`."""
    spellings = {word.lower(): word for word in words}

    def fold(given: object) -> object:
        return spellings.get(given.strip().lower(), given) if isinstance(given, str) else given

    return BeforeValidator(fold)


Namespace = Annotated[
    str,
    Query(
        description="Kubernetes namespace; 'all' for every one. Default: the namespace of the application.",
        max_length=63,
        json_schema_extra=NAMESPACE.schema,
    ),
    NAMESPACE.validator,
]
Service = Annotated[
    str,
    Query(description="One service, for example 'payment-service'. Default: all services.", max_length=100, json_schema_extra=NAME.schema),
    NAME.validator,
]
Since = Annotated[Span, Query(description=f"How far to look back: {_TIMES}")]
TimeWindow = Annotated[Span, Query(description=f"The time to look at: {_TIMES}")]
StartTime = Annotated[Moment, Query(description="Start: ISO 8601, or a duration before now such as 30m.")]
EndTime = Annotated[Moment, Query(description="End: ISO 8601, a duration before now, or 'now'.")]
CursorText = Annotated[
    str,
    Query(description="The cursor of the answer before, to continue where that was cut.", json_schema_extra=CURSOR.schema),
    CURSOR.validator,
]


async def accept_cursor(cursor: CursorText = "") -> None:
    """Declare the parameter that each list has."""


CONTINUES = [Depends(accept_cursor)]


class Operation(APIRoute):
    """A GET route that continues a list from a cursor and refuses parameters it does not know: a filter that is silently ignored makes
    a wrong answer look right."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        dependants = (self.dependant, *self.dependant.dependencies)
        known = [parameter.alias for dependant in dependants for parameter in dependant.query_params]

        async def strict(request: Request) -> Response:
            unknown = [_unknown(name, known) for name in request.query_params if name not in known]
            try:
                with collect_failures(), _continue(request):
                    answer = await handle(request)
            except RequestValidationError as failure:
                raise RequestValidationError([*failure.errors(), *unknown]) from None
            if unknown:
                raise RequestValidationError(unknown)
            return answer

        return strict


@contextmanager
def _continue(request: Request) -> Iterator[None]:
    """Answer from the cursor of a request. What is none is refused by its validator, one of another question here."""
    given = request.query_params.get("cursor", "")
    text = given if re.fullmatch(CURSOR.pattern, given) else ""
    try:
        with reading_from(text, identify_question(request.url.path, request.query_params)):
            yield
    except OtherQuestion as fault:
        raise RequestValidationError([{"type": "value_error", "loc": ("query", "cursor"), "msg": str(fault), "input": given}]) from None


def _unknown(name: str, known: list[str]) -> dict[str, Any]:
    return {"type": "unknown", "loc": ("query", name[:80]), "msg": f"is not a parameter of this operation, which has {', '.join(known)}"}


def match_names(names: Sequence[str], asked: str) -> list[str]:
    """Find the one of this name, else those that begin with it; all of them when nothing was asked for."""
    return [asked] if asked in names else [name for name in names if name.startswith(asked)]


def describe_unknown_service(names: Sequence[str], asked: str) -> str:
    """Explain an empty answer: the service is unknown. Name those that there are."""
    return f"Nothing is known of a service {asked!r}. Services: {', '.join(names) or 'none'}."

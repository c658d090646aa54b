"""One operation of an API: a GET route whose arguments are checked together, unknown ones included."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute


class Operation(APIRoute):
    """Refuses a parameter that it does not know: a filter that is silently ignored makes a wrong answer look right."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        known = [parameter.alias for parameter in self.dependant.query_params]

        async def strict(request: Request) -> Response:
            unknown = [_unknown(name, known) for name in request.query_params if name not in known]
            try:
                answer = await handle(request)
            except RequestValidationError as failure:
                raise RequestValidationError([*failure.errors(), *unknown]) from None
            if unknown:
                raise RequestValidationError(unknown)
            return answer

        return strict


def _unknown(name: str, known: list[str]) -> dict[str, Any]:
    return {"type": "unknown", "loc": ("query", name[:80]), "msg": f"is not a parameter of this operation, which has {', '.join(known)}"}

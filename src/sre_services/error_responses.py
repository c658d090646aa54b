"""Error responses: `{"error": {"code", "message", "do"}}`, with all faults at once and never a traceback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from sre_core import clock, log
from sre_core.problem import Refused
from sre_services.answer import Answer, render_answer
from sre_services.sources.absent import NoSource

_CODES = {404: "NOT-FOUND", 405: "METHOD-NOT-ALLOWED"}


def error_response(
    status: int, code: str, message: str, do: Sequence[str], headers: Mapping[str, str] | None = None, **facts: Any
) -> JSONResponse:
    """Make a response of the one shape of all errors."""
    return JSONResponse({"error": {"code": code, "message": message, "do": list(do), **facts}}, status_code=status, headers=headers)


def install_handlers(app: FastAPI) -> None:
    """Answer every failure of `app` in that shape."""
    app.add_exception_handler(RequestValidationError, _bad_arguments)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Refused, _no_answer)
    app.add_exception_handler(NoSource, _no_source)
    app.add_exception_handler(Exception, _broken)


def bad_arguments_response(faults: Sequence[dict[str, str]]) -> JSONResponse:
    """Answer 400 with every fault and, for each, what to do."""
    message = "; ".join(f"{fault['parameter']}: {fault['message']}" for fault in faults)
    return error_response(400, "BAD-ARGUMENTS", message, [fault["do"] for fault in faults], faults=list(faults))


async def _bad_arguments(request: Request, failure: Exception) -> JSONResponse:
    assert isinstance(failure, RequestValidationError)
    return bad_arguments_response([_fault(found) for found in failure.errors()])


def _fault(found: Any) -> dict[str, str]:
    parameter = str(found["loc"][-1])
    message = str(found["msg"]).removeprefix("Value error, ")
    if found["type"] == "missing":
        return {"parameter": parameter, "message": "is required", "do": f"Give {parameter}."}
    given = str(found.get("input", ""))[:80]
    return {"parameter": parameter, "message": message, "given": given, "do": f"Correct {parameter}, or leave it out for its default."}


async def _refused(request: Request, failure: Exception) -> JSONResponse:
    assert isinstance(failure, HTTPException)
    code = _CODES.get(failure.status_code, f"HTTP-{failure.status_code}")
    do = ["Read /openapi.json for the operations and their paths. All are GET."]
    # A 405 names in Allow what the path may be asked with.
    return error_response(failure.status_code, code, f"{request.method} {request.url.path}: {failure.detail}", do, headers=failure.headers)


async def _no_answer(request: Request, failure: Exception) -> JSONResponse:
    """Answer 503 with the Problem of a source that can't be read."""
    assert isinstance(failure, Refused)
    problem = failure.problems[0]
    log.get().warning("source.failed", path=request.url.path, code=problem.code, what=problem.what, why=problem.why)
    return error_response(503, problem.code, f"{problem.what} {problem.why}", problem.do)


async def _no_source(request: Request, failure: Exception) -> Response:
    """Answer that there is nothing: a service without a source is no failure of it."""
    service = request.app.state.name
    note = f"Nothing can be seen: no source of {service} is configured. Set services.{service} in config.yaml, and deploy again."
    return render_answer(Answer(as_of=clock.now(), items=(), note=note))


async def _broken(request: Request, failure: Exception) -> JSONResponse:
    log.get().error("request.failed", path=request.url.path, exc_info=failure)
    return error_response(
        500, "SERVICE-FAULT", "The service failed on this request. This is a bug in it.", ["Find request.failed in the service's log."]
    )

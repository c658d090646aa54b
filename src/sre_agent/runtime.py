"""The assistant over HTTP, by the contract of AgentCore Runtime: `POST /invocations` for callers with a token, `GET /ping` for all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from sre_agent.assistant import Assistant
from sre_agent.brief import render_brief
from sre_agent.connectivity import Connectivity
from sre_agent.jwt import Denial, Verifier
from sre_agent.pool import RETRY_SECONDS, Busy
from sre_agent.render import render_markdown
from sre_agent.request import Request, parse_request
from sre_agent.sessions.conversation import Conversation
from sre_agent.sessions.session import session_key
from sre_agent.watching import Watch
from sre_core import clock, log, security_event, tracing
from sre_core.problem import Problem, Refused
from sre_core.refusal_limit import RefusalLimit

BODY_LIMIT = 65_536
PROMPT_LIMIT = 8_000
_UNBUFFERED = {"cache-control": "no-store", "x-accel-buffering": "no"}
_CALLER = {
    "session_id": "x-amzn-bedrock-agentcore-runtime-session-id",
    "user_id": "x-amzn-bedrock-agentcore-runtime-user-id",
}
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@dataclass(frozen=True)
class Question:
    """The question of a caller."""

    request: Request
    session_id: str
    user_id: str
    trace: str = ""
    """The step of the caller's trace, if it has one."""
    subject: str = ""
    """Whom the caller's token is for."""

    @property
    def session(self) -> str:
        """Return the key of its session; empty where it belongs to none."""
        return session_key(self.subject, self.user_id, self.session_id) if self.session_id else ""

    @classmethod
    def parse(cls, body: bytes, headers: Mapping[str, str]) -> Question | Problem:
        """Parse `{"input": {"prompt", "session_id", "user_id"}}`; only the prompt is required. `request` has the others.

        AgentCore Runtime names session and user in headers too; what the body says counts.
        """
        try:
            given: object = json.loads(body)["input"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return _bad_request("The body is not JSON with an `input`.")
        prompt = given.get("prompt") if isinstance(given, dict) else None
        if not isinstance(given, dict) or not isinstance(prompt, str) or not prompt.strip():
            return _bad_request("`input.prompt` is missing or is not a text.")
        if len(prompt) > PROMPT_LIMIT:
            return _bad_request(f"`input.prompt` is longer than {PROMPT_LIMIT} characters.")
        caller = {name: str(given.get(name, headers.get(header, "")))[:128] for name, header in _CALLER.items()}
        return cls(parse_request(given, prompt), **caller, trace=headers.get(tracing.HEADER, ""))


@dataclass(frozen=True)
class Answering:
    """The parts that answer a question: the assistant, and the sessions that it continues."""

    assistant: Assistant
    conversation: Conversation


def build_app(assistant: Assistant, verifier: Verifier, connectivity: Connectivity, conversation: Conversation | None = None) -> Starlette:
    """Build the ASGI application around one assistant."""
    limit, answering = RefusalLimit(), Answering(assistant, conversation or Conversation())

    async def invocations(request: HttpRequest) -> Response:
        try:
            caller = await verifier.check(request.headers.get("authorization"))
        except Refused as refused:
            return _failure(503, refused.problems)
        if isinstance(caller, Denial):
            return _deny(request, caller, limit)
        body = await _read_body(request)
        if body is not None and _asks_for_hops(body):
            return JSONResponse({"output": {"connectivity": await connectivity.report(), "timestamp": clock.stamp(clock.now())}})
        question = (
            Question.parse(body, request.headers) if body is not None else _bad_request(f"The body is longer than {BODY_LIMIT} bytes.")
        )
        if isinstance(question, Problem):
            return _failure(400, (question,))
        question = replace(question, subject=caller.subject)
        if "text/event-stream" in request.headers.get("accept", ""):
            return StreamingResponse(_stream(answering, question), media_type="text/event-stream", headers=_UNBUFFERED)
        return await _answer(answering, question)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        yield
        await assistant.close()
        # uvicorn ends the process by the signal that it got: nothing after the server would run.
        tracing.stop()

    async def not_found(request: HttpRequest) -> JSONResponse:
        """Answer 404, but only to callers with a valid token: others learn nothing about the paths."""
        try:
            caller = await verifier.check(request.headers.get("authorization"))
        except Refused as refused:
            return _failure(503, refused.problems)
        return _deny(request, caller, limit) if isinstance(caller, Denial) else _failure(404, (_unknown_path(),))

    routes = [
        Route("/invocations", invocations, methods=["POST"]),
        Route("/ping", _ping, methods=["GET"]),
        Route("/{path:path}", not_found, methods=_METHODS),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


async def _ping(_: HttpRequest) -> JSONResponse:
    return JSONResponse({"status": "Healthy", "time_of_last_update": int(clock.now().timestamp())})


async def _read_body(request: HttpRequest) -> bytes | None:
    """Read the body; None when it is over the limit, and the rest is not read."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            return None
    return body


def _asks_for_hops(body: bytes) -> bool:
    """Say if a body is `{"input": {"check": "connectivity"}}`: AgentCore Runtime passes on no other path than that of questions."""
    try:
        given: object = json.loads(body)["input"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
    return given == {"check": "connectivity"}


async def _stream(answering: Answering, question: Question) -> AsyncGenerator[str]:
    """Yield server-sent events: `looking` for each call, then `answer` or `error` with the body that a plain answer has."""
    queue: asyncio.Queue[str | None] = asyncio.Queue()
    task = asyncio.create_task(_answer(answering, question, queue.put_nowait))
    task.add_done_callback(lambda _: queue.put_nowait(None))
    try:
        while (operation := await queue.get()) is not None:
            yield f"event: looking\ndata: {json.dumps({'tool': operation})}\n\n"
        response = task.result()
        name = "answer" if response.status_code == 200 else "error"
        yield f"event: {name}\ndata: {bytes(response.body).decode()}\n\n"
    finally:
        task.cancel()


async def _answer(answering: Answering, question: Question, watch: Watch | None = None) -> JSONResponse:
    events, conversation = log.get(session=question.session_id), answering.conversation
    try:
        with tracing.span("investigation", "server", parent=question.trace) as step:
            request, unread = await conversation.continue_session(question.session, question.request)
            report = await answering.assistant.answer(request, watch)
            step.note("sre.investigation", report.investigation_id)
            step.note("sre.kind", report.kind)
            step.note("sre.outcome", report.verdict)
    except Busy:
        events.warning("investigation.refused", reason="busy")
        return _failure(429, (_busy(),), {"retry-after": str(RETRY_SECONDS)})
    except Refused as refused:
        events.warning("investigation.failed", codes=[problem.code for problem in refused.problems])
        return _failure(502, refused.problems)
    kept, unkept = await conversation.keep(question.session, request.prompt, report)
    report = replace(report, notes=(*report.notes, *filter(None, (unread, unkept))))
    seconds = (report.finished_at - report.started_at).total_seconds()
    events.info("investigation.finished", investigation=report.investigation_id, kind=report.kind, verdict=report.verdict, seconds=seconds)
    output: dict[str, object] = {
        "message": render_brief(report),
        "markdown": render_markdown(report),
        "timestamp": clock.stamp(report.finished_at),
        "model": report.reasoner,
        "report": report.to_json(),
    }
    session = {"session": {"id": question.session_id, "kept": kept}} if question.session_id else {}
    return JSONResponse({"output": output | session})


def _deny(request: HttpRequest, denial: Denial, limit: RefusalLimit) -> JSONResponse:
    """Refuse a caller: 429 to one that is refused again and again."""
    client = _client(request)
    wait = limit.count(client)
    status = 429 if wait else denial.status
    security_event.log_denied(
        service="assistant",
        reason=denial.reason,
        method=request.method,
        path=request.url.path,
        client=client,
        status=status,
        request_id=request.headers.get("x-request-id", "")[:64],
        subject=denial.subject,
    )
    slowed = {"retry-after": str(wait)} if wait else {}
    body = {"error": {"code": denial.reason, "message": _MESSAGES[denial.reason] + (f" Wait {wait} seconds." if wait else "")}}
    return JSONResponse(body, status_code=status, headers={"www-authenticate": denial.challenge, **slowed})


def _client(request: HttpRequest) -> str:
    """Return the caller's address: the peer's own, or what the front door says, which is the only one to reach the Unix socket.

    On a port anybody may send the header, and would get as many attempts as addresses to invent.
    """
    if request.client and request.client.host:
        return request.client.host
    return request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()[:64] or "unknown"


_MESSAGES = {
    "missing_token": "Send an access token: Authorization: Bearer <token>.",
    "invalid_token": "The token was not issued for the assistant, or was changed.",
    "expired_token": "The token has expired: ask the issuer for a new one.",
    "wrong_client": "This client may not ask the assistant.",
    "insufficient_scope": "The token lacks the scope that asking needs.",
}


def _failure(status: int, problems: tuple[Problem, ...], headers: Mapping[str, str] | None = None) -> JSONResponse:
    first = problems[0]
    error = {**first.to_json(), "message": f"{first.what} {first.why}"}
    return JSONResponse({"error": error, "problems": [problem.to_json() for problem in problems]}, status_code=status, headers=headers)


def _busy() -> Problem:
    return Problem(
        code="ASSISTANT-BUSY",
        what="The assistant is answering as many questions as it can, and as many wait as may wait.",
        why="Each answer needs dozens of calls; with more questions at once, every answer would rest on less evidence.",
        do=(f"Ask again in {RETRY_SECONDS} seconds.", "Ask for less: a look-up needs one or two calls, an investigation about thirty."),
    )


def _unknown_path() -> Problem:
    return Problem(
        code="INVOCATION-PATH",
        what="The assistant has no such path for this method.",
        why="Questions go to POST /invocations; GET /ping says whether the assistant is healthy.",
        do=("Send the request to /invocations with POST.",),
    )


def _bad_request(why: str) -> Problem:
    return Problem(
        code="INVOCATION-INVALID",
        what="The body of the request can't be read as a question.",
        why=why,
        do=('Send {"input": {"prompt": "…", "session_id": "…", "user_id": "…"}}.',),
    )

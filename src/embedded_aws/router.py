"""Route every request: keep browsers out, verify the signature, then call the service that the request was signed for.

Any page that a developer opens in a browser can send requests to 127.0.0.1. So the router answers to no other name (a page's own
name can be made to resolve to 127.0.0.1), answers no request that a page sent, and allows none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from embedded_aws import refusals
from embedded_aws.authorization.authorize import authorize_request
from embedded_aws.credentials import Keyring
from embedded_aws.faults.faults import Faults
from embedded_aws.http_messages import CutOff, Request, Response, TooLarge, read_head, read_whole
from embedded_aws.oauth.endpoints import OAuthEndpoints
from embedded_aws.verifier import Caller, Refusal, read_claim, verify
from embedded_aws.world import AsgiApp, MutableMessage, Receive, Scope, Send
from sre_core import clock, security_event

LARGEST_BODY = 256 * 1024 * 1024
# A token request, which needs no signature, is a short form.
LARGEST_PUBLIC_BODY = 64 * 1024
# moto's own control API would change or empty the local AWS without being an API of AWS.
_CLOSED_PATHS = ("/moto-api", "/latest/meta-data", "/latest/api")
type Answering = Callable[[Request, Caller], Awaitable[Response]]


class Router:
    """An ASGI app. `apps` answer, in each region, for the services that they are named after, `everything_else` for the rest.

    `find_invocation` returns what answers a path of AgentCore Runtime's data plane, which is called with tokens and not with signatures.
    """

    def __init__(
        self,
        *,
        port: int,
        keyring: Keyring,
        oauth: OAuthEndpoints,
        apps: Mapping[str, Callable[[str], AsgiApp]],
        everything_else: Answering,
        faults: Faults | None = None,
        find_invocation: Callable[[str], AsgiApp | None] = lambda _: None,
    ) -> None:
        self._port = port
        self._keyring = keyring
        self._oauth = oauth
        self._apps = apps
        self._everything_else = everything_else
        self._faults = faults or Faults()
        self._find_invocation = find_invocation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; the body of a request from a browser is not read."""
        begun = read_head(scope)
        if reason := _browser_refusal(begun, self._port):
            answer = _browser_answer(reason)
            _log_refusal(begun, "embedded-aws", reason, answer)
            return await answer.send(send)
        if invocation := self._find_invocation(begun.raw_path):
            # It checks tokens itself, and its answer may be a stream.
            return await invocation(scope, receive, send)
        public = self._oauth.answers(begun)
        if not public and isinstance(unknown := read_claim(begun, self._keyring), Refusal):
            return await _refuse(begun, unknown, send)
        return await self._answer(begun, scope, receive, send, LARGEST_PUBLIC_BODY if public else LARGEST_BODY)

    async def _answer(self, begun: Request, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        """Read the body, and answer if the whole request is public or correctly signed."""
        try:
            request = await read_whole(begun, receive, limit=limit)
        except CutOff:
            return None  # as on AWS: half a request gets no response
        except TooLarge:
            too_large = Response.of_json(413, {"message": "The request is too large."})
            _log_refusal(begun, "embedded-aws", "body_too_large", too_large)
            return await too_large.send(send)
        if document := self._oauth.answer(request):
            return await document.send(send, without_body=request.method == "HEAD")
        caller = verify(request, self._keyring, clock.now())
        if isinstance(caller, Refusal):
            return await _refuse(request, caller, send)
        return await self._dispatch(request, caller, scope, send)

    async def _dispatch(self, request: Request, caller: Caller, scope: Scope, send: Send) -> None:
        service = caller.signature.service
        if request.path.startswith(_CLOSED_PATHS):
            answer = refusals.answer(refusals.protocol_of(request, service), 404, "NotFound", "There is no such API.")
            _log_refusal(request, service, "closed_path", answer, caller.key.arn)
            return await answer.send(send)
        if denied := authorize_request(request, caller):
            _log_refusal(request, service, "not_authorized", denied, caller.key.arn)
            return await denied.send(send, without_body=request.method == "HEAD")
        answer = await self._faults.handle(request, service, lambda: self._perform(request, caller, scope))
        return await answer.send(send, without_body=request.method == "HEAD")

    async def _perform(self, request: Request, caller: Caller, scope: Scope) -> Response:
        app = self._apps.get(caller.signature.service)
        if app is None:
            return await self._everything_else(request, caller)
        return await _collect_response(app(caller.signature.region), {**scope, "sender": caller.key}, request.body)


async def _collect_response(app: AsgiApp, scope: Scope, body: bytes) -> Response:
    """Return the whole response of an ASGI app."""
    messages: list[MutableMessage] = []

    async def collect(message: MutableMessage) -> None:
        messages.append(message)

    await app(scope, _replay(body), collect)
    start, *parts = messages
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"])
    return Response(start["status"], b"".join(part.get("body", b"") for part in parts), headers)


def _replay(body: bytes) -> Receive:
    """Return a `receive` that provides a body which was already read, then reports that the client has disconnected."""
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> MutableMessage:
        return next(messages, {"type": "http.disconnect"})

    return receive


def _service_in_claim(request: Request) -> str:
    """Return the service that an unverified request names, only to answer in its protocol."""
    credential = request.header("authorization").partition("Credential=")[2] or request.parameter("X-Amz-Credential")
    parts = credential.partition(",")[0].split("/")
    return parts[3] if len(parts) == 5 else ""


async def _refuse(request: Request, refusal: Refusal, send: Send) -> None:
    """Answer a request whose signature was not accepted, in the protocol of the service that it names."""
    service = _service_in_claim(request)
    answer = refusals.of_signature(request, service, refusal)
    _log_refusal(request, service, refusal.value, answer)
    await answer.send(send)


def _log_refusal(request: Request, service: str, reason: str, answer: Response, subject: str = "") -> None:
    known = security_event.hide_secrets(service)[:64] or "unknown"
    ids = (value for name, value in answer.headers if name in ("x-amzn-requestid", "x-amz-request-id"))
    security_event.log_denied(
        service=known,
        reason=reason,
        method=request.method,
        path=request.raw_path,
        client=request.client,
        status=answer.status,
        request_id=next(ids, ""),
        subject=subject,
    )


# What browsers say of requests that other sites start. "none" is a person typing the address.
_FOREIGN = frozenset({"cross-site", "same-site"})


def _browser_refusal(request: Request, port: int) -> str | None:
    """Return the reason to refuse a request before anything else reads it, or None."""
    hosts = [value for name, value in request.headers if name == "host"]
    if hosts not in ([f"127.0.0.1:{port}"], [f"localhost:{port}"]):
        return "wrong_host"
    if request.header("origin") or request.header("sec-fetch-site") in _FOREIGN:
        return "from_a_web_page"
    if request.method == "OPTIONS":
        return "preflight"
    return None


def _browser_answer(reason: str) -> Response:
    """Return a short response, without any header that would let a page read it."""
    return Response.of_json(421 if reason == "wrong_host" else 403, {"message": f"Refused: {reason}."})

"""The HTTPS endpoint of one gateway: authorization, and MCP over streamable HTTP."""

from __future__ import annotations

import contextlib
import json
import secrets
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from embedded_aws.agentcore import mcp
from embedded_aws.agentcore.application_logs import STREAM, RequestLog
from embedded_aws.agentcore.catalog import Catalogs
from embedded_aws.agentcore.jwt_authorizer import Denied, TokenChecker
from embedded_aws.agentcore.mcp import Era, Message, RpcError
from embedded_aws.agentcore.methods import Methods
from embedded_aws.agentcore.records import Gateway, Registry
from embedded_aws.agentcore.resource_policies import allows_invocation
from embedded_aws.http_messages import CutOff, Response, TooLarge, headers_of, json_response, read_body
from embedded_aws.watching.trail_events import Event, describe_invocation
from embedded_aws.world import Receive, Scope, Send
from sre_core import clock, security_event

type Headers = Mapping[str, str]

_BODY_AT_MOST = 6 * 1024 * 1024
_MCP_PATH = "/mcp"
_METADATA_PATH = "/.well-known/oauth-protected-resource"
_SESSION_HEADER = "mcp-session-id"
_REQUEST_ID = "x-amzn-requestid"
_NOT_AUTHORIZED = "not_authorized"


class GatewayEndpoint:
    """The ASGI app of one gateway. It reads the gateway at each request, because its owner may change it at any time."""

    def __init__(
        self,
        gateway_id: str,
        registry: Registry,
        catalogs: Catalogs,
        methods: Methods,
        checker_of: Callable[[str], TokenChecker],
        *,
        deliver_logs: Callable[[str, str, Sequence[str]], None],
        record_event: Callable[[Event], None],
    ) -> None:
        self._gateway_id = gateway_id
        self._registry = registry
        self._catalogs = catalogs
        self._methods = methods
        self._checker_of = checker_of
        self._deliver_logs = deliver_logs
        self._record_event = record_event
        self._sessions = Sessions()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        # A client that disconnects before the end of its request expects no response.
        with contextlib.suppress(CutOff):
            response = await self._respond(scope, receive)
            await response.send(send)

    async def _respond(self, scope: Scope, receive: Receive) -> Response:
        gateway = self._registry.gateways.get(self._gateway_id)
        headers = headers_of(scope)
        if gateway is None:
            return Response(404)
        if foreign := _check_origin(headers, gateway):
            request_id = self._report(scope, foreign)
            body = _plain_error("The Host or Origin of the request is not this gateway's.")
            return json_response(foreign.status, body, (_REQUEST_ID, request_id))
        if scope["path"] in (_METADATA_PATH, _METADATA_PATH + _MCP_PATH):
            return _metadata(scope, headers, gateway)
        if scope["path"].rstrip("/") != _MCP_PATH:
            return json_response(404, _plain_error("Not found"))
        return await self._mcp(scope, receive, headers, gateway)

    async def _mcp(self, scope: Scope, receive: Receive, headers: Headers, gateway: Gateway) -> Response:
        try:
            # Read before the token is checked: the refusal must contain the id of the request.
            body = await read_body(receive, _BODY_AT_MOST) if scope["method"] == "POST" else b""
        except TooLarge:
            request_id = self._report(scope, Denied("body_too_large", 413))
            return json_response(413, _plain_error("The request is larger than 6 MB."), ("connection", "close"), (_REQUEST_ID, request_id))
        message = mcp.decode(body) if scope["method"] == "POST" else None
        denied = await self._authorize(headers, gateway) or self._check_policy(scope, gateway)
        if denied:
            request_id = self._report(scope, denied)
            self._log(gateway, RequestLog(gateway.arn, request_id, mcp.id_in(message)).refuse(_refusal(denied)))
            refused = _unauthorized_response(denied, headers, gateway, mcp.id_in(message), request_id)
            self._record(scope, gateway, body, refused, request_id)
            return refused
        log = RequestLog(gateway.arn, str(uuid.uuid4()), mcp.id_in(message))
        response = await self._serve(scope["method"], message, headers, gateway)
        if isinstance(message, Message) and not (message.is_notification or message.is_answer):
            self._log(gateway, log.perform(message.method, body, response.body))
        self._record(scope, gateway, body, response, log.request_id)
        return response

    def _record(self, scope: Scope, gateway: Gateway, body: bytes, response: Response, request_id: str) -> None:
        """Record the request for the trails of the account."""
        self._record_event(
            describe_invocation(
                gateway_arn=gateway.arn,
                request=body,
                response=response.body,
                status=response.status,
                request_id=request_id,
                client=str((scope.get("client") or ("unknown",))[0]),
                agent=headers_of(scope).get("user-agent", ""),
            )
        )

    def _log(self, gateway: Gateway, lines: Iterable[str]) -> None:
        self._deliver_logs(gateway.arn, STREAM, tuple(lines))

    async def _authorize(self, headers: Headers, gateway: Gateway) -> Denied | None:
        authorizer = gateway.authorizer
        if authorizer is None:
            return None
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return Denied("missing_token")
        return await self._checker_of(authorizer.discovery_url).check(token.strip(), authorizer)

    def _check_policy(self, scope: Scope, gateway: Gateway) -> Denied | None:
        client = str((scope.get("client") or ("unknown",))[0])
        allowed = allows_invocation(self._registry, "InvokeGateway", gateway.arn, client)
        return None if allowed else Denied(_NOT_AUTHORIZED, 403)

    def _report(self, scope: Scope, denied: Denied) -> str:
        """Log the security event of a refusal; return the id by which the response names it."""
        client, request_id = scope.get("client") or ("unknown",), str(uuid.uuid4())
        security_event.log_denied(
            service="gateway",
            reason=denied.reason,
            method=scope["method"],
            path=scope["path"],
            client=str(client[0]),
            status=denied.status,
            request_id=request_id,
            subject=denied.subject,
            gateway_id=self._gateway_id,
        )
        return request_id

    async def _serve(self, method: str, message: Message | RpcError | None, headers: Headers, gateway: Gateway) -> Response:
        if method == "DELETE":
            return Response(200 if self._sessions.end(headers.get(_SESSION_HEADER, "")) else 404)
        if method != "POST" or message is None:
            # A gateway sends nothing but responses, so GET has no stream to open.
            return Response(405, headers=(("allow", "POST, DELETE"),))
        if refused := _check_media_types(headers):
            return refused
        if isinstance(message, RpcError):
            return json_response(message.status, mcp.error(None, message))
        era = mcp.era_of(message, headers, gateway.versions)
        if isinstance(era, RpcError):
            return json_response(era.status, mcp.error(message.id, era))
        return await self._reply(message, era, headers, gateway)

    async def _reply(self, message: Message, era: Era, headers: Headers, gateway: Gateway) -> Response:
        timeout = _session_timeout(gateway) if era is Era.LEGACY else None
        if timeout and message.method != "initialize" and (lost := self._lost_session(message, headers, timeout)):
            return lost
        if message.is_notification or message.is_answer:
            return Response(202)
        outcome = await self._methods.perform(message, era, gateway, self._catalogs.of(self._gateway_id), headers)
        if isinstance(outcome, RpcError):
            return json_response(mcp.status_of(outcome, era), mcp.error(message.id, outcome))
        begun = ((_SESSION_HEADER, self._sessions.begin(timeout)),) if timeout and message.method == "initialize" else ()
        return json_response(200, mcp.result(message, outcome, era), *begun)

    def _lost_session(self, message: Message, headers: Headers, timeout: timedelta) -> Response | None:
        name = headers.get(_SESSION_HEADER)
        if name is None:
            return json_response(400, mcp.error(message.id, RpcError(mcp.INVALID_REQUEST, "Mcp-Session-Id is required")))
        if not self._sessions.goes_on(name, timeout):
            return json_response(404, mcp.error(message.id, RpcError(mcp.INVALID_REQUEST, "Session not found")))
        return None


def _session_timeout(gateway: Gateway) -> timedelta | None:
    configured = gateway.mcp.get("sessionConfiguration")
    return timedelta(seconds=configured.get("sessionTimeoutInSeconds", 3600)) if configured is not None else None


def _check_origin(headers: Headers, gateway: Gateway) -> Denied | None:
    """Refuse a request that a web page sent, or that names another host than this gateway."""
    own = urlsplit(gateway.url)
    hosts = (own.netloc, f"localhost:{own.port}")
    if headers.get("host", "").lower() not in hosts:
        return Denied("foreign_host", 421)
    origin = headers.get("origin")
    if origin is not None and origin.lower() not in (f"{own.scheme}://{host}" for host in hosts):
        return Denied("foreign_origin", 403)
    return None


def _check_media_types(headers: Headers) -> Response | None:
    accepted = [each.partition(";")[0].strip().lower() for each in headers.get("accept", "*/*").split(",")]
    if not {"application/json", "application/*", "*/*"} & set(accepted):
        return json_response(406, _plain_error("The Accept header must allow application/json."))
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return json_response(415, _plain_error("The Content-Type must be application/json."))
    return None


def _refusal(denied: Denied) -> str:
    """Name a refusal as the gateway does to its client, who learns no more than that."""
    if denied.reason == _NOT_AUTHORIZED:
        return "Access denied"
    return "Invalid Bearer token" if denied.status == 401 else "Insufficient scope"


def _unauthorized_response(denied: Denied, headers: Headers, gateway: Gateway, rpc_id: str | int | None, request_id: str) -> Response:
    if denied.reason == _NOT_AUTHORIZED:
        # No other token would help, so that there is no challenge.
        return json_response(403, mcp.error(rpc_id, RpcError(mcp.UNAUTHORIZED, _refusal(denied))), (_REQUEST_ID, request_id))
    error = "invalid_token" if denied.status == 401 else denied.reason
    message = _refusal(denied)
    scopes = gateway.authorizer.scopes if gateway.authorizer else ()
    scope = f' scope="{" ".join(scopes)}",' if scopes else ""
    metadata = f'resource_metadata="https://{headers["host"]}{_METADATA_PATH}"'
    challenge = f'Bearer error="{error}",{scope} {metadata}'
    body = mcp.error(rpc_id, RpcError(mcp.UNAUTHORIZED, message))
    return json_response(denied.status, body, ("www-authenticate", challenge), (_REQUEST_ID, request_id))


def _metadata(scope: Scope, headers: Headers, gateway: Gateway) -> Response:
    """Return the protected resource metadata (RFC 9728). It needs no token: clients read it to find out where to get one."""
    if scope["method"] != "GET":
        return Response(405, headers=(("allow", "GET"),))
    if gateway.authorizer is None:
        return json_response(404, _plain_error("Not found"))
    issuer = gateway.authorizer.discovery_url.partition("/.well-known/")[0]
    document = {
        "authorization_servers": [issuer],
        "resource": f"https://{headers['host']}{_MCP_PATH}",
        "scopes_supported": list(gateway.authorizer.scopes),
    }
    return json_response(200, json.dumps(document).encode())


def _plain_error(message: str) -> bytes:
    return mcp.error(None, RpcError(mcp.INVALID_REQUEST, message))


class Sessions:
    """The MCP sessions of one gateway; a session that is not used for the timeout ends."""

    def __init__(self) -> None:
        self._expiry: dict[str, datetime] = {}

    def begin(self, timeout: timedelta) -> str:
        """Begin a session and return its id."""
        now = clock.now()
        self._expiry = {name: end for name, end in self._expiry.items() if end > now}
        name = secrets.token_urlsafe(24)
        self._expiry[name] = now + timeout
        return name

    def goes_on(self, name: str, timeout: timedelta) -> bool:
        """Return whether this session is alive, and extend it."""
        alive = self._expiry.get(name)
        if alive is None or alive <= clock.now():
            return False
        self._expiry[name] = clock.now() + timeout
        return True

    def end(self, name: str) -> bool:
        """End a session; return whether it existed."""
        return self._expiry.pop(name, None) is not None

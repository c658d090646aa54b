"""The data plane of runtimes: `POST /runtimes/{arn}/invocations`, for callers with a token of the runtime's issuer."""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

import aiohttp

from embedded_aws.agentcore.errors import ApiError, invalid, not_found
from embedded_aws.agentcore.jwt_authorizer import Denied, TokenChecker
from embedded_aws.agentcore.packages import Packages
from embedded_aws.agentcore.records import Registry
from embedded_aws.agentcore.resource_policies import allows_invocation
from embedded_aws.agentcore.runtime_records import DEFAULT_ENDPOINT, Runtime, RuntimeEndpoint, RuntimeVersion
from embedded_aws.agentcore.workload_tokens import WorkloadTokens, decode_object
from embedded_aws.http_messages import CutOff, Response, TooLarge, headers_of, read_body
from embedded_aws.instances.progress import StepFailed
from embedded_aws.world import Receive, Scope, Send
from sre_core import security_event

# https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/bedrock-agentcore-limits.html
_BODY_AT_MOST = 100 * 1000 * 1000
_PATH = re.compile(r"/runtimes/([^/]+)/invocations/?")
_SESSION = "x-amzn-bedrock-agentcore-runtime-session-id"
_WORKLOAD_TOKEN = "workloadaccesstoken"  # noqa: S105  # the name of a header
_SESSION_LENGTH = range(33, 257)
# Of a caller's headers the package gets these, and those that the runtime allows.
_USER = "x-amzn-bedrock-agentcore-runtime-user-id"
_PASSED = frozenset({"content-type", "accept", _SESSION, _USER, "x-amzn-trace-id", "traceparent"})
_ANSWERED = frozenset({"content-type", "cache-control", "mcp-session-id"})


def runtime_in(raw_path: str) -> str:
    """Return the ARN of the runtime that a path invokes; empty for another path."""
    found = _PATH.fullmatch(raw_path)
    return unquote(found[1]) if found else ""


@dataclass(frozen=True)
class _Call:
    """One invocation as the package gets it, and the id by which the answer names it."""

    headers: Mapping[str, str]
    body: bytes
    request_id: tuple[str, str]


class Invocations:
    """Answers invocations: finds the version behind the endpoint, checks the token by that version's authorizer, and asks its package."""

    def __init__(
        self, registry: Registry, packages: Packages, checker_of: Callable[[str], TokenChecker], workload_tokens: WorkloadTokens
    ) -> None:
        self._registry = registry
        self._packages = packages
        self._checker_of = checker_of
        self._workload_tokens = workload_tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = ("x-amzn-requestid", str(uuid.uuid4()))
        # A client that disconnects before the end of its request expects no response.
        with contextlib.suppress(CutOff):
            try:
                await self._invoke(scope, receive, send, request_id)
            except ApiError as error:
                await _answer_error(error, request_id).send(send)

    async def _invoke(self, scope: Scope, receive: Receive, send: Send, request_id: tuple[str, str]) -> None:
        headers = headers_of(scope)
        runtime, endpoint, version = self._find(scope)
        if scope["method"] != "POST":
            raise ApiError("UnknownOperationException", 404, "Invocations are sent with POST.")
        denied = await self._authorize(headers, version) or self._check_policies(scope, headers, (runtime.arn, endpoint.arn))
        if denied:
            _report(scope, denied, runtime, request_id[1])
            await _refuse(denied, request_id).send(send)
            return
        session = headers.get(_SESSION) or str(uuid.uuid4())
        if len(session) not in _SESSION_LENGTH:
            raise invalid("1 validation error detected: Value at 'runtimeSessionId' failed to satisfy constraint: 33 to 256 characters")
        try:
            body = await read_body(receive, _BODY_AT_MOST)
        except TooLarge:
            _report(scope, Denied("body_too_large", 413), runtime, request_id[1])
            refused = ApiError("RequestEntityTooLargeException", 413, "The payload is larger than 100 MB.")
            await _answer_error(refused, request_id, ("connection", "close")).send(send)
            return
        # A runtime gets its identity's token in no other way: https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/get-workload-access-token.html
        workload = self._workload_tokens.issue(runtime.runtime_id, _user_in(headers))
        passed = _select(headers, version) | {_SESSION: session, _WORKLOAD_TOKEN: workload.reveal()}
        call = _Call(passed, body, request_id)
        await self._pass_on(runtime, version, endpoint.name, call, send)

    def _find(self, scope: Scope) -> tuple[Runtime, RuntimeEndpoint, RuntimeVersion]:
        arn = runtime_in(scope["raw_path"].decode("latin-1"))
        runtime = next((runtime for runtime in self._registry.runtimes.values() if runtime.arn == arn), None)
        name = parse_qs(scope["query_string"].decode("latin-1")).get("qualifier", [DEFAULT_ENDPOINT])[0]
        endpoint = self._registry.endpoints.get(runtime.runtime_id, {}).get(name) if runtime else None
        version = runtime.version(endpoint.live) if runtime and endpoint else None
        if runtime is None or endpoint is None or version is None:
            raise not_found(f"No endpoint or agent found with qualifier '{name}' for agent '{arn}'")
        return runtime, endpoint, version

    def _check_policies(self, scope: Scope, headers: Mapping[str, str], arns: tuple[str, str]) -> Denied | None:
        """Ask the policies of the runtime and of its endpoint, where they have one."""
        action = "InvokeAgentRuntimeForUser" if _USER in headers else "InvokeAgentRuntime"
        client = str((scope.get("client") or ("unknown",))[0])
        allowed = all(allows_invocation(self._registry, action, arn, client) for arn in arns)
        return None if allowed else Denied("not_authorized", 403)

    async def _authorize(self, headers: Mapping[str, str], version: RuntimeVersion) -> Denied | None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.upper().startswith("AWS4-"):
            # Signatures are for runtimes without a JWT authorizer.
            return Denied("authorization_method_mismatch", 403)
        authorizer = version.authorizer
        if authorizer is None or scheme.lower() != "bearer" or not token.strip():
            return Denied("missing_token")
        return await self._checker_of(authorizer.discovery_url).check(token.strip(), authorizer)

    async def _pass_on(self, runtime: Runtime, version: RuntimeVersion, endpoint: str, call: _Call, send: Send) -> None:
        began = False
        try:
            async with (
                self._packages.use(runtime, version, endpoint) as package,
                package.post("http://runtime/invocations", headers=call.headers, data=call.body, allow_redirects=False) as answer,
            ):
                kept = [(name.lower(), value) for name, value in answer.headers.items() if name.lower() in _ANSWERED]
                passed = [(name.encode(), value.encode()) for name, value in (*kept, (_SESSION, call.headers[_SESSION]), call.request_id)]
                began = True
                await send({"type": "http.response.start", "status": answer.status, "headers": passed})
                async for chunk in answer.content.iter_any():
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
        except (StepFailed, aiohttp.ClientError, OSError) as error:
            if not began:
                what = error.what if isinstance(error, StepFailed) else type(error).__name__
                raise ApiError("RuntimeClientError", 424, f"An error occurred when starting the runtime. {what}") from error


def _user_in(headers: Mapping[str, str]) -> str:
    """Return who the caller's token, which was accepted, is for."""
    claims = decode_object(headers["authorization"].split(".")[1])
    return f"{claims.get('iss', '')}#{claims.get('sub', '')}"


def _select(headers: Mapping[str, str], version: RuntimeVersion) -> dict[str, str]:
    passed = _PASSED | version.headers
    return {name: value for name, value in headers.items() if name in passed}


def _report(scope: Scope, denied: Denied, runtime: Runtime, request_id: str) -> None:
    client = scope.get("client") or ("unknown",)
    security_event.log_denied(
        service="runtime",
        reason=denied.reason,
        method=scope["method"],
        path=f"/runtimes/{runtime.runtime_id}/invocations",
        client=str(client[0]),
        status=denied.status,
        request_id=request_id,
        subject=denied.subject,
    )


def _answer_error(error: ApiError, *headers: tuple[str, str]) -> Response:
    return Response.of_json(error.status, error.to_json(), ("x-amzn-errortype", error.type), *headers)


def _refuse(denied: Denied, request_id: tuple[str, str]) -> Response:
    message = {"message": f"OAuth authorization failed: {denied.reason}"}
    if denied.status == 403:
        return Response.of_json(403, message, ("x-amzn-errortype", "AccessDeniedException"), request_id)
    return Response.of_json(denied.status, message, ("www-authenticate", 'Bearer error="invalid_token"'), request_id)

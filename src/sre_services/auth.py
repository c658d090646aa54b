"""Who comes in: every path but the health path needs the API key."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from sre_core import security_event
from sre_core.secret import Secret
from sre_services.error_responses import error_response

HEALTH_PATH = "/health"


class ApiKeyAuth:
    """ASGI middleware that answers 401 without the key in `X-API-Key`, and leaves one security event."""

    def __init__(self, app: ASGIApp, *, service: str, key: Secret) -> None:
        self.app, self.service, self.key = app, service, key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == HEALTH_PATH:
            return await self.app(scope, receive, send)
        headers = Headers(scope=scope)
        given = headers.get("x-api-key", "")
        if self.key and Secret(given) == self.key:
            return await self.app(_without_empty_parameters(scope), receive, send)
        self._tell(scope, headers, "bad_api_key" if given else "missing_api_key")
        refusal = error_response(401, "UNAUTHORIZED", "This path needs the API key.", ["Send the key in the header X-API-Key."])
        return await refusal(scope, receive, send)

    def _tell(self, scope: Scope, headers: Headers, reason: str) -> None:
        # The front door sets this header and drops any that comes in.
        client = headers.get("x-forwarded-for", "unix")[:100]
        security_event.log_denied(service=self.service, reason=reason, method=scope["method"], path=scope["path"], client=client)


def _without_empty_parameters(scope: Scope) -> Scope:
    """Models send `""` for what they have no value for; that is the same as leaving it out."""
    query = scope["query_string"].decode("latin-1")
    if not query:
        return scope
    return {**scope, "query_string": urlencode([(name, value) for name, value in parse_qsl(query) if value.strip()]).encode()}

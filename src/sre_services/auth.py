"""Authentication: every path but the health path needs the API key, which comes as a file and never from argv or the environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from sre_core import security_event
from sre_core.problem import Problem
from sre_core.secret import Secret
from sre_services.error_responses import error_response

API_KEY = "backend-api-key"
HEALTH_PATH = "/health"


class ApiKeyAuth:
    """ASGI middleware that answers 401 without the key in `X-API-Key`, and logs one security event."""

    def __init__(self, app: ASGIApp, *, service: str, key: Secret) -> None:
        self.app, self.service, self.key = app, service, key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == HEALTH_PATH:
            return await self.app(scope, receive, send)
        headers = Headers(scope=scope)
        given = headers.get("x-api-key", "")
        if self.key and Secret(given) == self.key:
            return await self.app(_without_empty_parameters(scope), receive, send)
        self._log_denial(scope, headers, "bad_api_key" if given else "missing_api_key")
        refusal = error_response(401, "UNAUTHORIZED", "This path needs the API key.", ["Send the key in the header X-API-Key."])
        return await refusal(scope, receive, send)

    def _log_denial(self, scope: Scope, headers: Headers, reason: str) -> None:
        # The front door sets this header and drops any that comes in.
        client = headers.get("x-forwarded-for", "unix")[:100]
        security_event.log_denied(service=self.service, reason=reason, method=scope["method"], path=scope["path"], client=client)


def read_api_key(environment: Mapping[str, str]) -> Secret | Problem:
    """Read the key as systemd's LoadCredential= provides it, without the newline that editors leave."""
    folder = environment.get("CREDENTIALS_DIRECTORY", "")
    if not folder:
        return _missing("CREDENTIALS_DIRECTORY is not set.")
    try:
        text = (Path(folder) / API_KEY).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as fault:
        return _missing(f"Its file in {folder} can't be read: {type(fault).__name__}.")
    return Secret(text) if text else _missing(f"Its file in {folder} is empty.")


def _without_empty_parameters(scope: Scope) -> Scope:
    """Remove query parameters with an empty value: models send `""` for a parameter that they leave out."""
    query = scope["query_string"].decode("latin-1")
    if not query:
        return scope
    return {**scope, "query_string": urlencode([(name, value) for name, value in parse_qsl(query) if value.strip()]).encode()}


def _missing(why: str) -> Problem:
    return Problem(
        code="SVC-CREDENTIAL-MISSING",
        what=f"The service does not start, because its credential {API_KEY} is missing.",
        why=why,
        do=(
            "On the instance: sudo systemctl restart sre-agent-SERVICE, then journalctl -u sre-agent-SERVICE",
            f"By hand: write the key to a file named {API_KEY} and set CREDENTIALS_DIRECTORY to its folder.",
        ),
    )

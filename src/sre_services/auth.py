"""Authentication: every path but the health path needs the API key, which comes as a file and never from argv or the environment."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sre_core import security_event
from sre_core.problem import Problem
from sre_core.refusal_limit import RefusalLimit
from sre_core.secret import Secret
from sre_services.error_responses import error_response

API_KEY = "backend-api-key"
HEALTH_PATH = "/health"


class ApiKeyAuth:
    """ASGI middleware that answers 401 without the key in `X-API-Key` (429 to a client that tries again and again), and logs one event."""

    def __init__(self, app: ASGIApp, *, service: str, key: Secret | KeyFile) -> None:
        self.app, self.service, self.key = app, service, key
        self._limit = RefusalLimit()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == HEALTH_PATH:
            return await self.app(scope, receive, send)
        headers = Headers(scope=scope)
        given = headers.get("x-api-key", "")
        if self._accepts(Secret(given)):
            return await self.app(_without_empty_parameters(scope), receive, send)
        refusal = self._refuse(scope, headers, "bad_api_key" if given else "missing_api_key")
        return await refusal(scope, receive, send)

    def _accepts(self, given: Secret) -> bool:
        keys = self.key.read() if isinstance(self.key, KeyFile) else (self.key,)
        return any([given == key for key in keys if key])  # noqa: C419  # each is compared, so the time says nothing

    def _refuse(self, scope: Scope, headers: Headers, reason: str) -> Response:
        # The front door sets both headers and drops any that come in.
        client, request_id = headers.get("x-forwarded-for", "unix")[:100], headers.get("x-request-id", "")[:64]
        wait = self._limit.count(client)
        status = 429 if wait else 401
        asked = {"method": scope["method"], "path": scope["path"], "request_id": request_id}
        security_event.log_denied(service=self.service, reason=reason, client=client, status=status, **asked)
        refusal = _slowed_down(wait) if wait else error_response(401, "UNAUTHORIZED", "This path needs the API key.", [_SEND_IT])
        refusal.headers["WWW-Authenticate"] = f'ApiKey realm="{self.service}"'
        return refusal


_SEND_IT = "Send the key in the header X-API-Key."


def _slowed_down(seconds: int) -> Response:
    do = [f"Wait {seconds} seconds.", f"{_SEND_IT} A request with the right key is answered at once."]
    refusal = error_response(429, "TOO-MANY-REFUSALS", "This client was refused too often within a minute.", do)
    refusal.headers["Retry-After"] = str(seconds)
    return refusal


class KeyFile:
    """The keys of a file, one a line: two or three while the key is rotated. A file that has changed is read again."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._version = self._look()
        self._keys = _read_keys(file)

    def read(self) -> tuple[Secret, ...]:
        """Return the keys that are accepted now. What can't be read, or is empty, changes nothing."""
        with suppress(OSError, UnicodeDecodeError):
            if (version := self._look()) != self._version:
                self._keys = _read_keys(self._file) or self._keys
                self._version = version
        return self._keys

    def _look(self) -> tuple[int, int]:
        found = self._file.stat()
        return found.st_ino, found.st_mtime_ns


def _read_keys(file: Path) -> tuple[Secret, ...]:
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    return tuple(Secret(line) for line in lines if line)


def read_api_key(environment: Mapping[str, str]) -> KeyFile | Problem:
    """Open the file of the key in `$CREDENTIALS_DIRECTORY`."""
    folder = environment.get("CREDENTIALS_DIRECTORY", "")
    if not folder:
        return _missing("CREDENTIALS_DIRECTORY is not set.")
    try:
        keys = KeyFile(Path(folder) / API_KEY)
    except (OSError, UnicodeDecodeError) as fault:
        return _missing(f"Its file in {folder} can't be read: {type(fault).__name__}.")
    return keys if keys.read() else _missing(f"Its file in {folder} is empty.")


def _without_empty_parameters(scope: Scope) -> Scope:
    """Remove query parameters with an empty value: models send `""` for a parameter that they leave out."""
    query = scope["query_string"].decode("latin-1")
    if not query:
        return scope
    return {**scope, "query_string": urlencode([(name, value) for name, value in parse_qsl(query) if value.strip(" ")]).encode()}


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

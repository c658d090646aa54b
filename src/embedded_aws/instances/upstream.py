"""HTTP to a service over its Unix socket."""

from __future__ import annotations

import aiohttp

# The services' server closes an idle connection after five seconds; a client that lets go earlier never meets a closed one.
_IDLE_SECONDS = 2.0
_CONNECT_SECONDS = 5.0
# A gateway's tool call may take fifteen minutes, and so may an investigation.
_SILENT_SECONDS = 900.0


def session(socket: str, *, silent_seconds: float = _SILENT_SECONDS) -> aiohttp.ClientSession:
    """A client for one service: bodies and headers pass unchanged, and an answer may take as long as a tool call may."""
    return aiohttp.ClientSession(
        connector=aiohttp.UnixConnector(socket, limit=0, keepalive_timeout=_IDLE_SECONDS),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=silent_seconds),
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        max_line_size=65536,
        max_field_size=65536,
    )


async def answers(client: aiohttp.ClientSession, url: str, tls: aiohttp.Fingerprint | bool = True) -> bool:
    """Whether a health path answers 200 within five seconds; a service that is not there yet does not."""
    try:
        async with client.get(url, ssl=tls, allow_redirects=False, timeout=aiohttp.ClientTimeout(total=5)) as response:
            return response.status == 200
    except (aiohttp.ClientError, OSError):
        return False

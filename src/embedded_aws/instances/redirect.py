"""What plain HTTP gets: the way to HTTPS."""

from __future__ import annotations

import re

from embedded_aws.instances.proxy import answer
from embedded_aws.world import AsgiApp, Receive, Scope, Send

_HOST = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?")


def redirect_to_https() -> AsgiApp:
    """Answers every request with 308 to the same host and path; the method and body are kept by the client that follows."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        host = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
        known = _HOST.fullmatch(host)
        if not known:
            return await answer(send, 400, b"")
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        location = b"https://" + known[1].encode() + scope["raw_path"] + query
        return await answer(send, 308, b"", (b"location", location))

    return app

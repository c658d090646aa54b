"""An HTTP answer, whole, and how it is sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from embedded_aws.world import Send


@dataclass(frozen=True)
class Response:
    """Status, headers and body."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of_json(cls, status: int, document: Mapping[str, object], *headers: tuple[str, str]) -> Response:
        return cls(status, json.dumps(document).encode(), (("content-type", "application/json"), *headers))

    async def send(self, send: Send, *, without_body: bool = False) -> None:
        """Send it; a HEAD request gets the headers only."""
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.headers]
        if all(name != b"content-length" for name, _ in headers) and self.status not in (204, 304):
            headers.append((b"content-length", str(len(self.body)).encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if without_body else self.body})

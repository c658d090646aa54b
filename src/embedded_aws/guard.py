"""Keeps web pages out: this AWS answers programs that were given its registry, never a browser.

Any page that a developer opens can send requests to 127.0.0.1. So nothing here answers to another name (a page's own
name can be made to resolve to 127.0.0.1), nothing answers a request that a page sent, and nothing allows one.
"""

from __future__ import annotations

from embedded_aws.request import Request
from embedded_aws.response import Response

# What browsers say of requests that other sites start. "none" is a person typing the address.
_FOREIGN = frozenset({"cross-site", "same-site"})


def refusal_of(request: Request, port: int) -> str | None:
    """The reason to refuse a request before anything looks at it, or None."""
    hosts = [value for name, value in request.headers if name == "host"]
    if hosts not in ([f"127.0.0.1:{port}"], [f"localhost:{port}"]):
        return "wrong_host"
    if request.header("origin") or request.header("sec-fetch-site") in _FOREIGN:
        return "from_a_web_page"
    if request.method == "OPTIONS":
        return "preflight"
    return None


def answer(reason: str) -> Response:
    """Short, and without any header that would let a page read it."""
    return Response.of_json(421 if reason == "wrong_host" else 403, {"message": f"Refused: {reason}."})

"""Requests that are signed for AWS: Signature Version 4, with the credentials of the machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from urllib.parse import parse_qsl, quote, urlencode

import httpx2

from sre_services.sources.aws import request_signer
from sre_services.sources.settings import Settings

_SENT = ("authorization", "x-amz-date", "x-amz-security-token")


class SignedRequests(httpx2.Auth):
    """Signs each request for one service of AWS in one region."""

    requires_request_body = True

    def __init__(self, service: str, region: str, settings: Settings) -> None:
        self._sign = request_signer(service, region, settings.environment)

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        # The signature is of the query as AWS spells it, so that it is sent like that.
        query = urlencode(parse_qsl(request.url.query.decode(), keep_blank_values=True), quote_via=quote, safe="-_.~")
        request.url = request.url.copy_with(query=query.encode() or None)
        host = {"host": request.headers["host"]}
        # Credentials may have to be fetched first.
        signed = await asyncio.to_thread(self._sign, request.method, str(request.url), host, request.content)
        request.headers.update({name: value for name, value in signed.items() if name.lower() in _SENT})
        yield request

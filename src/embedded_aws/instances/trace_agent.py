"""Send the spans of an instance's programs to X-Ray with the instance's role, as the CloudWatch agent of a real machine does.

Programs send them by OTLP to the machine itself. The agent makes a segment of each span as its exporter for X-Ray does:
https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/awsxrayexporter
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from embedded_aws.http_messages import Request
from embedded_aws.instances.certificate_order import end_task
from embedded_aws.sigv4 import ALGORITHM, Signature, expected_signature
from embedded_aws.world import NotAuthorized, TemporaryCredentials, World
from sre_core import clock, log
from sre_core.machine import Machine

_PATH = "/v1/traces"
_LARGEST = 4 * 1024 * 1024
_SEGMENTS_AT_ONCE = 50
_PATIENCE = aiohttp.ClientTimeout(total=30)
_SERVER, _FAILED = 2, 2  # SPAN_KIND_SERVER, STATUS_CODE_ERROR


async def open_trace_agent(world: World, machine: Machine, profile_arn: str, instance_id: str, running: AsyncExitStack) -> str:
    """Listen for spans until `running` ends; return the address, or nothing where the machine sends none to X-Ray.

    A real machine's agent has a port of its own; here several machines share one computer.
    """
    if machine.monitoring is None or not machine.monitoring.xray:
        return ""
    waiting: asyncio.Queue[bytes] = asyncio.Queue(maxsize=1000)
    runner = web.AppRunner(_make_app(waiting), access_log=None)
    await runner.setup()
    running.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    sender = _Sender(world, profile_arn, instance_id)
    running.push_async_callback(end_task, asyncio.create_task(sender.keep(waiting)))
    return f"http://127.0.0.1:{runner.addresses[0][1]}{_PATH}"


def _make_app(waiting: asyncio.Queue[bytes]) -> web.Application:
    async def accept(request: web.Request) -> web.Response:
        if request.headers.get("content-type") != "application/x-protobuf":
            return web.Response(status=415)
        # aiohttp has decompressed the body.
        body = await request.read()
        if waiting.full():
            return web.Response(status=503)
        waiting.put_nowait(body)
        return web.Response(body=b"", content_type="application/x-protobuf")

    app = web.Application(client_max_size=_LARGEST)
    app.router.add_post(_PATH, accept)
    return app


@dataclass(frozen=True)
class _Sender:
    """Sends what waits. What X-Ray or IAM refuses is logged and lost, as on a real machine."""

    world: World
    profile_arn: str
    instance_id: str

    async def keep(self, waiting: asyncio.Queue[bytes]) -> None:
        """Send one request of a program after the other, until it is cancelled."""
        events = log.get(instance_id=self.instance_id)
        trust = ssl.create_default_context(cafile=str(self.world.authority.ca_file))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust), timeout=_PATIENCE) as http:
            while True:
                if refused := await self._send(http, await waiting.get()):
                    events.error("traces.not_sent", because=refused)

    async def _send(self, http: aiohttp.ClientSession, body: bytes) -> str:
        """Return why something was refused; nothing where X-Ray has all of it."""
        from google.protobuf.message import DecodeError

        try:
            documents = [json.dumps(segment) for segment in read_segments(body)]
            refused = [each for batch in _split(documents) for each in await self._put(http, batch)]
            counts = {"SegmentsReceivedCount": len(documents), "SegmentsRejectedCount": len(refused)}
            record = {"Timestamp": clock.now().timestamp(), "SegmentsSentCount": len(documents) - len(refused), **counts}
            await self._call(http, "/TelemetryRecords", {"TelemetryRecords": [record], "EC2InstanceId": self.instance_id})
        except (aiohttp.ClientError, DecodeError, KeyError, NotAuthorized, OSError) as error:
            return str(error)
        return "; ".join(refused)

    async def _put(self, http: aiohttp.ClientSession, documents: Sequence[str]) -> list[str]:
        answer = await self._call(http, "/TraceSegments", {"TraceSegmentDocuments": [*documents]})
        return [str(each.get("Message")) for each in answer.get("UnprocessedTraceSegments", ())]

    async def _call(self, http: aiohttp.ClientSession, path: str, content: dict[str, Any]) -> dict[str, Any]:
        """Make one call with the role of the instance. Raises KeyError where its profile has none, NotAuthorized where AWS refuses."""
        role = self.world.role_of_profile(self.profile_arn)
        given = self.world.credentials_for_role(role or "", self.instance_id)
        body = json.dumps(content).encode()
        headers = sign_call(urlsplit(self.world.endpoint).netloc, self.world.region, path, body, given)
        async with http.post(self.world.endpoint + path, data=body, headers=headers) as response:
            text = await response.text()
            if response.status != 200:
                raise NotAuthorized(f"X-Ray answered {response.status}: {text}")
            return dict(json.loads(text or "{}"))


def sign_call(host: str, region: str, path: str, body: bytes, given: TemporaryCredentials) -> dict[str, str]:
    """Sign a call of X-Ray, and return its headers."""
    now = clock.now().strftime("%Y%m%dT%H%M%SZ")
    headers = {
        "content-type": "application/json",
        "host": host,
        "x-amz-date": now,
        "x-amz-security-token": given.session_token.reveal(),
    }
    request = Request("POST", path, "", tuple(headers.items()), body, "")
    claim = Signature(given.access_key_id, now[:8], region, "xray", tuple(headers), "", now, headers["x-amz-security-token"], None)
    signature = expected_signature(request, claim, given.secret_access_key.reveal())
    credential = f"Credential={given.access_key_id}/{claim.scope}"
    return {**headers, "authorization": f"{ALGORITHM} {credential}, SignedHeaders={';'.join(headers)}, Signature={signature}"}


def _split(documents: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(documents), _SEGMENTS_AT_ONCE):
        yield documents[start : start + _SEGMENTS_AT_ONCE]


def read_segments(body: bytes) -> Iterator[dict[str, Any]]:
    """Make a segment of each span of an OTLP request (pure). Raises DecodeError for a body of another form."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    for sent in ExportTraceServiceRequest.FromString(body).resource_spans:
        service = _read_attributes(sent.resource.attributes).get("service.name", "")
        for scope in sent.scope_spans:
            yield from (_make_segment(span, service) for span in scope.spans)


def _make_segment(span: Any, service: str) -> dict[str, Any]:
    """Make a segment of its service for a span that serves a request or has no parent; all others become subsegments of one."""
    trace, parent, attributes = span.trace_id.hex(), span.parent_span_id.hex(), _read_attributes(span.attributes)
    status = attributes.pop("http.response.status_code", 0)
    method = attributes.pop("http.request.method", "")
    serves = span.kind == _SERVER
    return {
        "name": (service if serves else span.name)[:200],
        "id": span.span_id.hex(),
        "trace_id": f"1-{trace[:8]}-{trace[8:]}",
        "start_time": span.start_time_unix_nano / 1e9,
        "end_time": span.end_time_unix_nano / 1e9,
        **({"parent_id": parent} if parent else {}),
        **({} if serves or not parent else {"type": "subsegment"}),
        **({"http": _describe_http(method, status)} if method or status else {}),
        **_describe_failure(span.status.code == _FAILED, status),
        "metadata": {"default": {**attributes, **({"otel.resource.service.name": service} if serves or not parent else {})}},
    }


def _describe_http(method: str, status: int) -> dict[str, Any]:
    return {**({"request": {"method": method}} if method else {}), **({"response": {"status": status}} if status else {})}


def _describe_failure(failed: bool, status: int) -> dict[str, bool]:
    if not failed:
        return {}
    return {"error": True, **({"throttle": True} if status == 429 else {})} if 400 <= status < 500 else {"fault": True}


def _read_attributes(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, str(each.value.WhichOneof("value"))) for each in attributes}

"""X-Ray of the local AWS: it takes what AWS documents, refuses the rest, and gives back what it took."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from embedded_aws.instances.trace_agent import read_segments
from fixtures.embedded import EmbeddedAws


def segment(**changed: Any) -> dict[str, Any]:
    trace_id, now = f"1-{secrets.token_hex(4)}-{secrets.token_hex(12)}", time.time()
    whole = {"name": "shop.example.com", "id": secrets.token_hex(8), "trace_id": trace_id, "start_time": now - 1, "end_time": now}
    return {name: value for name, value in {**whole, **changed}.items() if value is not None}


def put(embedded: EmbeddedAws, *documents: dict[str, Any]) -> list[dict[str, Any]]:
    texts = [json.dumps(each) for each in documents]
    found: list[dict[str, Any]] = embedded.client("xray").put_trace_segments(TraceSegmentDocuments=texts)["UnprocessedTraceSegments"]
    return found


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"name": None}, "InvalidName"),
        ({"name": "a" * 201}, "InvalidName"),
        ({"name": "what?"}, "InvalidName"),
        ({"id": "0123"}, "InvalidId"),
        ({"trace_id": "0" * 32}, "InvalidTraceId"),
        ({"type": "subsegment"}, "InvalidParentId"),
        ({"type": "span"}, "InvalidType"),
        ({"start_time": "now"}, "InvalidStartTime"),
        ({"start_time": 1.0}, "InvalidStartTime"),
        ({"end_time": None}, "InvalidEndTime"),
        ({"end_time": 2.0}, "InvalidEndTime"),
        ({"in_progress": True}, "InvalidEndTime"),
        ({"metadata": {"default": "x" * 65536}}, "DocumentTooLarge"),
    ],
)
def test_a_document_that_is_refused(embedded: EmbeddedAws, changed: dict[str, Any], code: str) -> None:
    """It is named with its fault; the others of the same request are kept."""
    good, bad = segment(), segment(**changed)
    assert [each["ErrorCode"] for each in put(embedded, bad, good)] == [code]
    [trace] = embedded.client("xray").batch_get_traces(TraceIds=[good["trace_id"]])["Traces"]
    assert [json.loads(each["Document"])["id"] for each in trace["Segments"]] == [good["id"]]


def test_a_segment_in_progress(embedded: EmbeddedAws) -> None:
    """The complete segment replaces it; a trace that was never sent is not found, and more than five in one request are refused."""
    begun = segment(end_time=None, in_progress=True)
    assert put(embedded, begun) == []
    assert put(embedded, {**begun, "end_time": time.time(), "in_progress": False}) == []
    client = embedded.client("xray")
    [trace] = client.batch_get_traces(TraceIds=[begun["trace_id"]])["Traces"]
    [kept] = [json.loads(each["Document"]) for each in trace["Segments"]]
    assert kept["end_time"]
    assert client.batch_get_traces(TraceIds=[segment()["trace_id"]])["Traces"] == []
    with pytest.raises(ClientError, match="InvalidRequestException"):
        client.batch_get_traces(TraceIds=[segment()["trace_id"] for _ in range(6)])
    assert client.get_trace_segment_destination()["Destination"] == "XRay"


def test_segments_of_spans() -> None:
    """A span that serves a request has its service's name; all others but the first are subsegments. A failure says whose fault it is."""
    request = ExportTraceServiceRequest()
    sent = request.resource_spans.add()
    sent.resource.attributes.add(key="service.name").value.string_value = "sre-agent-logs"
    spans = sent.scope_spans.add().spans
    for name, kind, parent, status in (("first", 1, b"", 0), ("operation", 2, b"\1" * 8, 404), ("read_source", 3, b"\2" * 8, 502)):
        span = spans.add(
            name=name, kind=kind, trace_id=b"\xab" * 16, span_id=b"\3" * 8, parent_span_id=parent, start_time_unix_nano=10**9,
            end_time_unix_nano=2 * 10**9,
        )  # fmt: skip
        if status:
            span.attributes.add(key="http.response.status_code").value.int_value = status
            span.status.code = 2
    first, served, read = read_segments(request.SerializeToString())
    assert first["trace_id"] == "1-abababab-" + "ab" * 12
    assert [(each["name"], each.get("type")) for each in (first, served, read)] == [
        ("first", None), ("sre-agent-logs", None), ("read_source", "subsegment")
    ]  # fmt: skip
    assert (served["error"], "fault" in served, served["http"]["response"]["status"]) == (True, False, 404)
    assert (read["fault"], "error" in read) == (True, False)
    assert [find["start_time"] for find in (first, served, read)] == [1.0] * 3

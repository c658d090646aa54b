"""AWS X-Ray: https://docs.aws.amazon.com/xray/latest/api/."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TypeGuard

from embedded_aws.strict.patching import add, patch
from sre_core import clock

_LARGEST, _OLDEST_SECONDS, _MOST_TRACES = 64 * 1024, 30 * 24 * 3600, 5
# https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
_NAME = re.compile(r"[\w\s.:/%&#=+\\\-@]{1,200}")
_ID = re.compile(r"[0-9a-f]{16}")
_TRACE_ID = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}")


def refuse_bad_segments() -> None:
    """Refuse the documents that X-Ray refuses, each by itself; moto looks only if the required members are there.

    A segment that is sent again replaces the one that was in progress.
    https://docs.aws.amazon.com/xray/latest/api/API_PutTraceSegments.html
    """
    from moto.xray.exceptions import BadSegmentException
    from moto.xray.models import SegmentCollection, XRayBackend

    @patch(XRayBackend, "process_segment")
    def process_segment(original: Any, self: Any, doc: Any) -> None:
        if fault := find_fault(doc):
            id, code, message = fault
            raise BadSegmentException(seg_id=id or None, code=code, message=message)
        original(self, doc)

    @patch(SegmentCollection, "put_segment")
    def put_segment(original: Any, self: Any, segment: Any) -> None:
        kept = self._traces[segment.trace_id]["segments"]
        kept[:] = [each for each in kept if each.id != segment.id]
        original(self, segment)


def find_fault(document: Any) -> tuple[str, str, str] | None:
    """Return the id of a segment, an error code and why X-Ray refuses its document; None for a good one (pure)."""
    if not isinstance(document, str) or len(document.encode()) > _LARGEST:
        return "", "DocumentTooLarge", f"A segment document has at most {_LARGEST} bytes"
    try:
        found = json.loads(document)
    except ValueError:
        return "", "ParseError", "Invalid segment. ErrorCode: ParseError"
    if not isinstance(found, dict):
        return "", "ParseError", "Invalid segment. ErrorCode: ParseError"
    id = str(found.get("id", ""))
    wrong = next(_list_wrong_members(found), "")
    return (id, f"Invalid{wrong}", f"Invalid segment. ErrorCode: Invalid{wrong}") if wrong else None


def _list_wrong_members(found: dict[str, Any]) -> Iterator[str]:
    texts = {"Name": ("name", _NAME), "Id": ("id", _ID), "TraceId": ("trace_id", _TRACE_ID)}
    if found.get("type") == "subsegment":
        texts["ParentId"] = ("parent_id", _ID)
    elif found.get("type") is not None:
        yield "Type"
    yield from (name for name, (member, form) in texts.items() if not form.fullmatch(str(found.get(member, ""))))
    start, end = found.get("start_time"), found.get("end_time")
    if not _is_number(start) or clock.now().timestamp() - start > _OLDEST_SECONDS:
        yield "StartTime"
    elif end is None:
        yield from () if found.get("in_progress") is True else ("EndTime",)
    elif not _is_number(end) or end < start or found.get("in_progress") is True:
        yield "EndTime"


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def limit_batches() -> None:
    """Refuse more than five traces at once, and return a trace that was never sent neither as found nor as unprocessed.

    https://docs.aws.amazon.com/xray/latest/api/API_BatchGetTraces.html
    """
    from moto.xray.models import XRayBackend
    from moto.xray.responses import XRayResponse

    @patch(XRayResponse, "traces")
    def traces(original: Any, self: Any) -> Any:
        if len(self._get_param("TraceIds") or ()) > _MOST_TRACES:
            return self._error("InvalidRequestException", f"At most {_MOST_TRACES} trace ids can be requested.")
        return original(self)

    @patch(XRayBackend, "get_trace_ids")
    def get_trace_ids(original: Any, self: Any, trace_ids: list[str]) -> Any:
        return {**original(self, trace_ids), "UnprocessedTraceIds": []}


def show_destination() -> None:
    """Add GetTraceSegmentDestination: without Transaction Search, X-Ray itself keeps what is sent.

    https://docs.aws.amazon.com/xray/latest/api/API_GetTraceSegmentDestination.html
    """
    from moto.xray import urls
    from moto.xray.responses import XRayResponse

    add(XRayResponse, "get_trace_segment_destination", lambda _: json.dumps({"Destination": "XRay", "Status": "ACTIVE"}))
    urls.url_paths["{0}/GetTraceSegmentDestination$"] = XRayResponse.dispatch

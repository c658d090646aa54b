"""Log each refused access as one event of the Open Cybersecurity Schema Framework (requirement 2.5, https://schema.ocsf.io/1.6.0).

A refusal for who the caller is becomes class Authentication (3002), every other one class API Activity (6003). It needs the standard
library only: nginx's log format is rendered from it on a machine without any library.
"""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, TextIO

from sre_core import clock, redaction

EVENT = "security.access_denied"
"""The name that identifies these lines in a log; OCSF keeps what it has no field for below `unmapped`."""
_VERSION = "1.6.0"
_NOT_IDENTITY = frozenset(
    (
        "insufficient_scope", "ambiguous_path", "no_route", "body_too_large", "plain_http", "closed_path", "wrong_host", "from_a_web_page",
        "preflight", "foreign_host", "foreign_origin", "head_too_large", "head_too_slow",
        "malformed_request",
    )
)  # fmt: skip
_ACTIVITIES = {"POST": (1, "Create"), "GET": (2, "Read"), "HEAD": (2, "Read"), "PUT": (3, "Update"), "PATCH": (3, "Update")}
_ACTIVITIES["DELETE"] = (4, "Delete")
_OTHER = (99, "Other")


def log_denied(
    *,
    service: str,
    reason: str,
    method: str,
    path: str,
    client: str,
    status: int = 0,
    request_id: str = "",
    subject: str = "",
    stream: TextIO | None = None,
    **facts: str,
) -> None:
    """Write one event as a JSON line to stderr (the journal, in production).

    `reason` is a fixed word such as `missing_token`, `expired_token`, `wrong_client`, `bad_api_key`; `subject` a caller who is known.
    Never pass a token, a key or a query string: `path` is cut at its `?`, and what looks like a secret in it is hidden.
    """
    event = describe_denial(
        service=service,
        reason=reason,
        method=method,
        path=hide_secrets(path.partition("?")[0])[:200],
        client=client,
        status=str(status or ""),
        request_id=request_id or str(uuid.uuid4()),
        subject=subject,
        time=int(clock.now().timestamp() * 1000),
        activity=None if reason not in _NOT_IDENTITY else _ACTIVITIES.get(method, _OTHER),
        facts=facts,
    )
    print(json.dumps(event), file=stream or sys.stderr, flush=True)


def describe_denial(
    *,
    service: str,
    reason: str,
    method: str,
    path: str,
    client: str,
    status: str,
    request_id: str,
    subject: str,
    time: object,
    activity: tuple[object, str] | None,
    facts: Mapping[str, str],
) -> dict[str, Any]:
    """Return the event (pure): without an activity, it is about the caller's identity. nginx gives the names of its variables."""
    user = {"uid": subject} if subject else {"name": "unknown"}
    common = {
        "time": time,
        "severity_id": 2,
        "severity": "Low",
        "status_id": 2,
        "status": "Failure",
        "status_code": status,
        "status_detail": reason,
        "message": f"{service} refused a request: {reason}",
        "metadata": {"version": _VERSION, "product": {"name": "sre-agent", "vendor_name": "sre-agent"}, "correlation_uid": request_id},
        "src_endpoint": _endpoint(client),
        "http_request": {"http_method": method, "uid": request_id, "url": {"path": path}},
        "unmapped": {"event": EVENT, **facts},
    }
    if activity is None:
        return {**_class(3002, "Authentication", 3, (1, "Logon")), **common, "service": {"name": service}, "user": user}
    api = {"operation": f"{method} {path}", "request": {"uid": request_id}, "service": {"name": service}}
    return {**_class(6003, "API Activity", 6, activity), **common, "actor": {"user": user}, "api": api}


def _class(uid: int, name: str, category: int, activity: tuple[object, str]) -> dict[str, object]:
    number, caption = activity
    type_uid = uid * 100 + number if isinstance(number, int) else "$ocsf_type"
    return {
        "class_uid": uid,
        "class_name": name,
        "category_uid": category,
        "activity_id": number,
        "activity_name": caption,
        "type_uid": type_uid,
    }


def _endpoint(client: str) -> dict[str, str]:
    if client.startswith("$"):
        return {"ip": client}
    try:
        return {"ip": str(ip_address(client))}
    except ValueError:
        return {"name": client[:100] or "unknown"}


def hide_secrets(path: str) -> str:
    """Hide what may be a token or a key: no path of ours has a segment of forty characters."""
    segments = redaction.CERTAIN_SECRET.sub(redaction.HIDDEN, path).split("/")
    return "/".join(redaction.HIDDEN if len(segment) >= 40 or segment.startswith("eyJ") else segment for segment in segments)


def read_denial(line: str) -> dict[str, Any] | None:
    """Read the event of one line of a log; None for any other line."""
    if EVENT not in line:
        return None
    try:
        event = json.loads(line[line.index("{") :])
        # The CloudWatch agent ships a line of the journal as one field of its own record.
        if isinstance(event, dict) and "body" in event:
            event = json.loads(event["body"]["MESSAGE"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    known = isinstance(event, dict) and isinstance(event.get("unmapped"), dict) and event["unmapped"].get("event") == EVENT
    return event if known and isinstance(event.get("time"), int) else None

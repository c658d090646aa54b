"""Security events are read back in each form in which they are kept."""

from __future__ import annotations

import io
import json

import pytest

from sre_core.security_event import EVENT, log_denied, read_denial


def test_what_the_cloudwatch_agent_ships() -> None:
    """From the journal it makes records of its own, each with the line in a field."""
    stream = io.StringIO()
    log_denied(service="logs", reason="bad_api_key", method="GET", path="/x", client="192.0.2.9", status=401, stream=stream)
    line = stream.getvalue()
    record = {"body": {"MESSAGE": line, "_SYSTEMD_UNIT": "sre-agent-logs.service"}, "severity_text": "info"}
    assert read_denial(json.dumps(record)) == read_denial(line) is not None


@pytest.mark.parametrize("body", [None, "text", {}, {"MESSAGE": 5}, {"MESSAGE": "text"}, {"MESSAGE": "[]"}])
def test_other_records(body: object) -> None:
    """A record that only mentions the event is none."""
    assert read_denial(json.dumps({"body": body, "about": EVENT})) is None

"""`audit` shows refused requests."""

from __future__ import annotations

from sre_agent_deploy.commands.audit import describe_event
from sre_core.security_event import describe_denial


def test_a_path_that_would_write_to_the_terminal() -> None:
    """The refused caller chooses the path: it can add no line, and no control character of it is shown."""
    event = describe_denial(
        service="logs",
        reason="bad_api_key",
        method="GET",
        path="/\x1b[2J\n  2026-11-29T09:00:00Z  run      deploy by ada\u202e",
        client="192.0.2.7",
        status="401",
        request_id="r-1",
        subject="",
        time=1_796_000_000_000,
        activity=None,
        facts={},
    )
    what = describe_event(event).what
    assert what.isprintable()
    assert "192.0.2.7: bad_api_key (request r-1)" in what

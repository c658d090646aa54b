"""A service's part of a trace: its operation below the caller's step, and each request to a source below that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from fixtures.otlp import Receiver, receiver
from fixtures.prometheus import prometheus
from sre_core import clock, tracing
from sre_core.secret import Secret
from sre_services.application import Api, build_app
from sre_services.providers import open_provider
from sre_services.recording import Recording, open_recording

from .conftest import KEY

TRACE, STEP = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def received() -> Iterator[Receiver]:
    """A receiver for the spans of this process."""
    with receiver() as found:
        assert tracing.start("metrics", {tracing.VARIABLE: found.url}) is None
        try:
            yield found
        finally:
            tracing.stop()


@pytest.mark.needs("prometheus")
def test_requests_to_sources(received: Receiver, tmp_path: Path) -> None:
    """Each of two sources is named; no address, query, parameter, key or answer is in what is sent. A stranger begins no step."""
    incident = open_recording("crash-loop", clock.now() - timedelta(minutes=1))
    assert isinstance(incident, Recording)
    with prometheus(incident, tmp_path) as url:
        sources = [{"source": "prometheus", "url": url, "name": name} for name in ("one", "two")]
        provider = open_provider("metrics", {"SRE_SOURCES": json.dumps(sources)})
        with TestClient(build_app(Api.of("metrics"), provider, Secret(KEY))) as client:
            headers = {"X-API-Key": KEY, "traceparent": f"00-{TRACE}-{STEP}-01"}
            answer = client.get("/metrics/errors", params={"service": "payment-service"}, headers=headers)
            assert answer.status_code == 200, answer.text
            assert client.get("/metrics/errors", headers={"X-API-Key": "wrong"}).status_code == 401
            assert client.get("/health").json()["traces"] in ("", "ok")
    tracing.stop()
    spans = received.wait_for(lambda seen: len(seen) >= 3)
    [operation] = [span for span in spans if span.name == "operation"]
    reads = [span for span in spans if span.name == "read_source"]
    assert (operation.trace, operation.parent, operation.facts["http.route"]) == (TRACE, STEP, "/metrics/errors")
    assert {span.parent for span in reads} == {operation.id}
    assert {span.facts["http.response.status_code"] for span in reads} == {200}
    assert len(reads) >= 2
    sent = b"".join(received.bodies)
    assert not [text for text in (KEY, "payment", url, "http_requests", "wrong") if text.encode() in sent]


def test_a_source_that_does_not_answer(received: Receiver) -> None:
    """Its step has failed, and the error's text stays here."""
    provider = open_provider("metrics", {"SRE_SOURCES": json.dumps([{"source": "prometheus", "url": "http://127.0.0.1:9"}])})
    with TestClient(build_app(Api.of("metrics"), provider, Secret(KEY))) as client:
        assert client.get("/metrics/errors", headers={"X-API-Key": KEY}).status_code >= 500
    tracing.stop()
    reads = [span for span in received.wait_for(lambda seen: len(seen) >= 2) if span.name == "read_source"]
    assert reads
    assert all(span.failed for span in reads)
    assert b"127.0.0.1:9" not in b"".join(received.bodies)

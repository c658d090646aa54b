"""Logs of OpenSearch: levels as programs spell them in a field of their own."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from fixtures import opensearch
from sre_core import clock
from sre_services.logs.model import LogFilter
from sre_services.logs.providers.opensearch import open_provider
from sre_services.recording import Recording, open_recording
from sre_services.sources.settings import Settings
from sre_services.timespan import Window

SPELLED = {
    "ERROR": "ERROR",
    "error": "ERROR",
    "Error": "ERROR",
    "SEVERE": "ERROR",
    "critical": "FATAL",
    "Panic": "FATAL",
    "WARNING": "WARN",
    "Warning": "WARN",
    "Notice": "INFO",
    "trace": "DEBUG",
}


@pytest.mark.parametrize("level", sorted(set(SPELLED.values())))
def test_levels_in_a_field(tmp_path: Path, level: str) -> None:
    """A record is found by its level however its program spells that; its text has no level."""
    recording, moment = open_recording("crash-loop", clock.now()), clock.now()
    assert isinstance(recording, Recording)
    (tmp_path / "password").write_text("of this test")
    common = {"@timestamp": moment.isoformat(), "service.name": "spelled"}
    more = [{**common, "message": f"number {number}", "log.level": word} for number, word in enumerate(SPELLED)]
    with opensearch.opensearch(recording, [], more) as url:
        values = {"url": url, "username": "sre", "password": "password", "index": opensearch.INDEX}
        store = open_provider(Settings("opensearch", "opensearch", values, {"CREDENTIALS_DIRECTORY": str(tmp_path)}))
        window = Window(moment - timedelta(minutes=1), moment + timedelta(minutes=1))
        found = store.records(LogFilter(window=window, services=("spelled",), levels=frozenset({level})))
    wanted = {f"number {number}" for number, named in enumerate(SPELLED.values()) if named == level}
    assert {record.message for record in found} == wanted

"""A shell in an empty folder, which knows an account by its variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.embedded import EmbeddedAws


@pytest.fixture
def folder(unbooted: EmbeddedAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, somewhere, whose shell speaks to that account."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    registry = unbooted.registry
    settings = {
        "SRE_AGENT_STATE_DIR": str(tmp_path / "state-folder"),
        "AWS_ENDPOINT_URL": unbooted.endpoint,
        "AWS_CA_BUNDLE": unbooted.ca_file,
        "AWS_ACCESS_KEY_ID": registry["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": registry["secret_access_key"],
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return folder

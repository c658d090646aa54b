"""A shell in an empty folder, which knows an account by its variables."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fixtures.embedded import EmbeddedAws


@pytest.fixture
def folder(unbooted: EmbeddedAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create an empty folder, whose shell uses that account."""
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


@pytest.fixture
def local_folder(unbooted: EmbeddedAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a configuration for local mode; what is deployed from it is deleted at the end."""
    from sre_agent_deploy.cli.root import main

    # The commands remove them in local mode.
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SRE_AGENT_STATE_DIR", str(unbooted.state_dir))
    monkeypatch.chdir(tmp_path)
    document = {"version": 1, "mode": "local", "name": f"t{secrets.token_hex(4)}", "services": {"recording": "crash-loop"}}
    (tmp_path / "config.yaml").write_text(json.dumps(document))
    yield tmp_path
    if (tmp_path / ".deployment_state").exists():
        with pytest.raises(SystemExit):
            main(["cleanup", "--yes"])


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Type a command line; return its exit code, stdout and stderr."""
    from sre_agent_deploy.cli.root import main

    def run(*words: str) -> tuple[int, str, str]:
        code = 0
        try:
            main([*words])
        except SystemExit as ended:
            assert isinstance(ended.code, int)
            code = ended.code
        said = capsys.readouterr()
        return code, said.out, said.err

    return run

"""Connection files of other deployments decide whether the AWS of this machine may stop."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sre_agent_deploy import connection


@pytest.mark.parametrize("damaged", ["", "{", "[]", "7", '{"aws": []}', "\ufeff"])
def test_a_damaged_connection_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damaged: str) -> None:
    """What can't be read may be somebody's deployment: it counts as one, and is no traceback."""
    monkeypatch.setenv("SRE_AGENT_STATE_DIR", str(tmp_path))
    folder, registry = tmp_path / "connections", tmp_path / "embedded-aws.json"
    folder.mkdir()
    for name, where in (("sre-mine", registry), ("sre-theirs", registry), ("sre-elsewhere", tmp_path / "other.json")):
        (folder / f"{name}.json").write_text(json.dumps({"deployment_id": name, "aws": {"registry": str(where)}}))
    assert connection.others("sre-mine", registry) == ["sre-theirs"]
    (folder / "sre-broken.json").write_text(damaged)
    assert connection.others("sre-mine", registry) == ["sre-broken", "sre-theirs"]

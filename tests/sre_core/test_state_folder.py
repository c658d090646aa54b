"""One answer to where deployments leave their files, for the program that writes and the one that reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from sre_core.state_folder import state_folder


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"SRE_AGENT_STATE_DIR": "/chosen", "XDG_STATE_HOME": "/shared"}, Path("/chosen")),
        ({"XDG_STATE_HOME": "/shared"}, Path("/shared/sre-agent")),
        ({"SRE_AGENT_STATE_DIR": "", "XDG_STATE_HOME": ""}, Path.home() / ".local/state/sre-agent"),
    ],
)
def test_the_most_specific_setting_counts(environ: dict[str, str], folder: Path) -> None:
    """Its own variable, then the desktop's, then the home; an empty variable is none."""
    assert state_folder(environ) == folder

"""Where deployments of this user leave what outlives a command: the deployer writes there, `sre-agent` reads."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path


def state_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """`$SRE_AGENT_STATE_DIR`, else `sre-agent` under `$XDG_STATE_HOME` or `~/.local/state`."""
    if chosen := environ.get("SRE_AGENT_STATE_DIR"):
        return Path(chosen)
    base = environ.get("XDG_STATE_HOME")
    return (Path(base) if base else _home() / ".local" / "state") / "sre-agent"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        # A user without a home; whoever makes the folder makes it 0700.
        return Path(tempfile.gettempdir()) / f"sre-agent-{os.getuid()}"

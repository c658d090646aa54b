"""The use cases: one file per command, readable top to bottom as its story, callable from Python without a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

type Mode = Literal["production", "local"]

CONFIG = Path("config.yaml")
STATE = Path(".deployment_state")


@dataclass(frozen=True)
class Request:
    """The options that say what a command works on; None where an option was not given."""

    config_file: Path | None = None
    mode: Mode | None = None
    state_file: Path | None = None
    deployment: str = ""
    """The id or the name of a deployment that this machine knows; its own state and configuration are then used."""

"""The state folder of this user, for everything that outlives a command. The deployer writes there, `sre-agent` reads."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from sre_core.problem import Problem, Refused


def state_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the state folder. Raise Refused where it can't be a folder, because a file is in its place or above it."""
    folder = state_folder_path(environ)
    existing = _nearest_existing(folder)
    if not existing.is_dir():
        raise Refused(_unusable(folder, f"{existing} is not a folder."))
    return folder


def state_folder_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Return `$SRE_AGENT_STATE_DIR`, else `sre-agent` under `$XDG_STATE_HOME` or `~/.local/state`."""
    if chosen := environ.get("SRE_AGENT_STATE_DIR"):
        return Path(chosen)
    base = environ.get("XDG_STATE_HOME")
    return (Path(base) if base else _home() / ".local" / "state") / "sre-agent"


def find_problem(folder: Path) -> Problem | None:
    """Explain why nothing can be written into the state folder, or into the folder that it would be created in.

    The permissions of a folder do not say it: in /proc root may write, and nothing can be created. So a file without a name is.
    """
    existing = _nearest_existing(folder)
    if not existing.is_dir():
        return _unusable(folder, f"{existing} is not a folder.")
    try:
        with tempfile.TemporaryFile(dir=existing):
            return None
    except OSError as error:
        return _unusable(folder, f"Nothing can be created in {existing}: {error.strerror}.")


def problem_behind(error: OSError) -> Problem | None:
    """Explain an error about a file in or above the state folder, if it comes from a state folder that can't be used."""
    if not isinstance(error.filename, str):
        return None
    path, folder = Path(error.filename).absolute(), state_folder_path().absolute()
    concerned = path == folder or folder in path.parents or path in folder.parents
    return find_problem(state_folder_path()) if concerned else None


def _nearest_existing(folder: Path) -> Path:
    """Return the folder itself, or what exists nearest above it; a link counts even where it leads nowhere."""
    return next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        # A user without a home. The folder is made with mode 0700.
        return Path(tempfile.gettempdir()) / f"sre-agent-{os.getuid()}"


def _unusable(folder: Path, why: str) -> Problem:
    return Problem(
        code="STATE-FOLDER-UNUSABLE",
        what=f"The state folder {folder} can't be used.",
        why=why,
        do=(
            "Choose a folder in which you can write: export SRE_AGENT_STATE_DIR=/path/of/folder",
            f"Or check its owner and its type: ls -ld {folder}",
            "If SRE_AGENT_STATE_DIR is not set, it is $XDG_STATE_HOME/sre-agent, else ~/.local/state/sre-agent: check HOME.",
        ),
    )

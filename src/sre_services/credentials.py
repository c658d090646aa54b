"""Credentials come as files, as systemd's LoadCredential= provides them; never from argv or the environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sre_core.problem import Problem
from sre_core.secret import Secret

API_KEY = "backend-api-key"


def read_credential(name: str, environment: Mapping[str, str]) -> Secret | Problem:
    """The credential of this name, without the newline that editors leave."""
    folder = environment.get("CREDENTIALS_DIRECTORY", "")
    if not folder:
        return _missing(name, "CREDENTIALS_DIRECTORY is not set.")
    try:
        text = (Path(folder) / name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as fault:
        return _missing(name, f"Its file in {folder} can't be read: {type(fault).__name__}.")
    return Secret(text) if text else _missing(name, f"Its file in {folder} is empty.")


def _missing(name: str, why: str) -> Problem:
    return Problem(
        code="SVC-CREDENTIAL-MISSING",
        what=f"The credential {name} is not there, so no request could be told from a stranger's.",
        why=why,
        do=(f"Write the key to a file named {name} and set CREDENTIALS_DIRECTORY to its folder (systemd: LoadCredential={name}:PATH).",),
    )

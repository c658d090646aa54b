"""The engine and the AWS it works against, and the folder in which commands run, once for all of this folder."""

from __future__ import annotations

from fixtures.engine import engine, faults, site, unbooted
from fixtures.kept_files import folder

__all__ = ["engine", "faults", "folder", "site", "unbooted"]

"""The engine and the AWS it works against, once for all of this folder."""

from __future__ import annotations

from fixtures.engine import engine, faults, site, unbooted

__all__ = ["engine", "faults", "site", "unbooted"]

"""The engine and the AWS it works against, once for all of this folder."""

from __future__ import annotations

from fixtures.engine import engine, site, unbooted

__all__ = ["engine", "site", "unbooted"]

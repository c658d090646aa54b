"""An AWS on this machine, to be recognised by."""

from __future__ import annotations

from fixtures.embedded import embedded

__all__ = ["embedded"]

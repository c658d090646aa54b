"""The running AWS that this folder's tests share."""

from __future__ import annotations

from fixtures.embedded import embedded

__all__ = ["embedded"]

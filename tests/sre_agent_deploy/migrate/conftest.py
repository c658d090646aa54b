"""The folder in which these tests run commands."""

from __future__ import annotations

from fixtures.kept_files import folder

__all__ = ["folder"]

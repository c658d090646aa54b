"""What a step from one version of the format to the next is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sre_core.problem import Problem


@dataclass(frozen=True)
class Step:
    """`change` edits the text with `edit.put`, so comments stay; the version number is written for it."""

    version: int
    """The version that it starts from; it ends at the next."""
    says: str
    """What it changes, for the report."""
    change: Callable[[str], str | Problem]

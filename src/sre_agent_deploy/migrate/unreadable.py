"""The problem of an old file that can't be read."""

from __future__ import annotations

from sre_core.problem import Problem, Where


def unreadable(source: str, line: int, why: str) -> Problem:
    """Without an excerpt: old files hold secrets."""
    return Problem(
        code="MIGRATE-UNREADABLE",
        what=f"{source} can't be read.",
        why=why,
        do=("Correct that line, or leave the file out by naming the others.", "Nothing was changed."),
        where=Where(source, line),
    )

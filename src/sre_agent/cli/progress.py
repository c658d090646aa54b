"""Show the current look-up on one line of the terminal, which the answer replaces."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sre_agent.watching import Watch


@contextmanager
def show_progress(*, quiet: bool) -> Iterator[Watch | None]:
    """Give a function that shows each call; none where standard error is no terminal."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    calls = 0

    def watch(operation: str) -> None:
        nonlocal calls
        calls += 1
        sys.stderr.write(f"\r\x1b[K{calls}: {operation[:60]}")
        sys.stderr.flush()

    try:
        yield watch
    finally:
        sys.stderr.write("\r\x1b[K")

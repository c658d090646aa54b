"""How long to wait between two looks at something that AWS is working on."""

from __future__ import annotations

from collections.abc import Iterator


def pauses(first: float = 0.1, longest: float = 5.0) -> Iterator[float]:
    """Seconds between looks, growing by half each time: quick for what is quick, gentle on AWS for what is not."""
    pause = first
    while True:
        yield pause
        pause = min(longest, pause * 1.5)

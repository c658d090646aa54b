"""How a name that was asked for is found among those that there are."""

from __future__ import annotations

from collections.abc import Sequence


def match_names(names: Sequence[str], asked: str) -> list[str]:
    """The one of this name, else those that begin with it; all of them when nothing was asked for."""
    return [asked] if asked in names else [name for name in names if name.startswith(asked)]


def describe_unknown_service(names: Sequence[str], asked: str) -> str:
    """What an empty answer means, and which services there are."""
    return f"Nothing is known of a service {asked!r}. Services: {', '.join(names) or 'none'}."

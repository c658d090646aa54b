"""What someone probably meant."""

from __future__ import annotations

from collections.abc import Iterable


def find_nearest(text: str, choices: Iterable[str]) -> str | None:
    """Return the choice that is spelled most alike, ignoring case and `_`/`-`; None where none is near."""
    import difflib

    by_spelling = {_normalize(choice): choice for choice in choices}
    wanted = _normalize(text)
    beginning = [choice for choice in by_spelling if len(wanted) > 2 and choice.startswith(wanted)]
    close = beginning or difflib.get_close_matches(wanted, by_spelling, n=5, cutoff=0.7)
    # Letters in the wrong order are the commonest slip: the same letters win over the same order.
    close.sort(key=lambda choice: sorted(choice) != sorted(wanted))
    return by_spelling[close[0]] if close else None


def _normalize(text: str) -> str:
    return text.lower().replace("_", "-").strip()

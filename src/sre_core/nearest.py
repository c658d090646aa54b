"""Find the nearest known name for a misspelled one."""

from __future__ import annotations

from collections.abc import Iterable


def find_nearest(text: str, choices: Iterable[str]) -> str | None:
    """Return the choice that is spelled most alike, the first of several, ignoring case and `_`/`-`; None where none is near."""
    import difflib

    by_spelling = {_normalize(choice): choice for choice in choices}
    wanted = _normalize(text)
    beginning = [choice for choice in by_spelling if len(wanted) > 2 and choice.startswith(wanted)]
    close = beginning or difflib.get_close_matches(wanted, by_spelling, n=5, cutoff=0.7)
    order = list(by_spelling)

    def rank(choice: str) -> tuple[bool, float, int]:
        # Letters in the wrong order are the commonest slip: the same letters win over the same order.
        return sorted(choice) != sorted(wanted), -difflib.SequenceMatcher(None, choice, wanted).ratio(), order.index(choice)

    close.sort(key=rank)
    return by_spelling[close[0]] if close else None


def _normalize(text: str) -> str:
    return text.lower().replace("_", "-").strip()

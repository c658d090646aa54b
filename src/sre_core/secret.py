"""A value that can be used and not shown."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import NoReturn

# Shorter pieces reveal nothing, and removing them would remove ordinary words.
_SHORTEST_PIECE = 8


class Secret:
    """Prints as `***`, compares in constant time, and can't be pickled or turned into JSON.

    `reveal()` is the one way to the text: searching for it finds every place that uses a secret.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself, for the call that needs it; never for a log, a shared file, or argv."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __bool__(self) -> bool:
        return bool(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret can't be serialised: refer to it by its ARN or file")


def conceal(text: str, secrets: Iterable[Secret]) -> str:
    """Replace every secret, and every line of a longer one, by `***`."""
    pieces = {piece for secret in secrets for piece in (secret.reveal(), *secret.reveal().splitlines())}
    for piece in sorted(pieces, key=len, reverse=True):
        if len(piece) >= _SHORTEST_PIECE:
            text = text.replace(piece, "***")
    return text

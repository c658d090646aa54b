"""Commands of runbooks: words in capitals stand for names, which are filled in where they are known."""

from __future__ import annotations

import re
from collections.abc import Mapping

_PLACES = re.compile(r"\b(NAMESPACE|NAME|NODE|POD)\b")


def fill_names(command: str, names: Mapping[str, str]) -> str:
    """Put names into a command; a word without a name stays as it is."""
    return _PLACES.sub(lambda found: names.get(found[1]) or found[1], command)

"""Commands of runbooks: words in capitals are placeholders, which are filled in where their values are known."""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAME = re.compile(r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?")
_PLACES = re.compile(r"\b(NAMESPACE|NAME|NODE|POD)\b")


def fill_names(command: str, names: Mapping[str, str]) -> str:
    """Put names into a command; a word without a name stays as it is, and so does one whose name a shell could read as more."""
    safe = {place: name for place, name in names.items() if _NAME.fullmatch(name)}
    return _PLACES.sub(lambda found: safe.get(found[1], found[1]), command)

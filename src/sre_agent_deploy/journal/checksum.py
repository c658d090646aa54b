"""The checksum of a state or a saved plan, over its exact bytes: a flipped bit or a lost end is noticed, wherever it is (pure).

It is the document's first value. Counted are the bytes of the document with zeros in its place.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

FIELD = "checksum"
_ZEROS = "0" * 64


def seal(document: Mapping[str, Any]) -> bytes:
    """Render a document with its checksum."""
    unsealed = json.dumps({FIELD: _ZEROS, **document}, indent=1).encode()
    return unsealed.replace(_ZEROS.encode(), _sum(unsealed).encode(), 1)


def is_intact(document: bytes, recorded: object) -> bool:
    """Check if the bytes are those that the checksum in them was computed from."""
    return (
        isinstance(recorded, str)
        and len(recorded) == len(_ZEROS)
        and recorded == _sum(document.replace(recorded.encode(), _ZEROS.encode(), 1))
    )


def _sum(document: bytes) -> str:
    return hashlib.sha256(document).hexdigest()

"""JSON as RFC 8259 has it: Python's own reader takes more, and what it takes can't be sent on."""

from __future__ import annotations

import json
from typing import Any


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)
# Made once: `json.dumps` with options makes an encoder for each call, and answers are on the hot path.
_ENCODER = json.JSONEncoder(separators=(",", ":"))


def parse(body: bytes) -> Any:
    """The document. Raises ValueError for anything that is not JSON in UTF-8, nested too deeply, or half a character."""
    try:
        found = _DECODER.decode(body.decode())
        if b"\\u" in body:
            # An escaped half of a surrogate pair is text that no request and no file can carry.
            json.dumps(found, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return found


def compact(document: object) -> bytes:
    """The document without spaces, in ASCII."""
    return _ENCODER.encode(document).encode()

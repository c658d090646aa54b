"""Amazon's event stream encoding: https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html and Smithy's specification.

A message is: total length, length of the headers, their CRC32, headers, payload, CRC32 of all before.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from zlib import crc32

_STRING = 7


def encode_event(name: str, payload: Mapping[str, object]) -> bytes:
    """Encode one event with a JSON payload."""
    headers = b"".join(
        _header(key, value) for key, value in ((":event-type", name), (":content-type", "application/json"), (":message-type", "event"))
    )
    body = json.dumps(payload).encode()
    prelude = struct.pack("!II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack("!I", crc32(prelude)) + headers + body
    return message + struct.pack("!I", crc32(message))


def _header(name: str, value: str) -> bytes:
    return struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", _STRING, len(value)) + value.encode()

"""Verify S3 uploads in signed chunks: the signature of each chunk continues the one before it.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and …/sigv4-streaming-trailers.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass

from embedded_aws import sigv4

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
UNSIGNED_WITH_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_TRAILER_SIGNATURE = b"x-amz-trailer-signature"


@dataclass(frozen=True)
class _Chunk:
    data: bytes
    signature: str


def signed_correctly(body: bytes, claim: sigv4.Signature, secret_access_key: str) -> bool:
    """Return whether every chunk, and the trailer where there is one, has the signature of this key."""
    key = sigv4.signing_key(claim, secret_access_key)
    previous = claim.signature
    try:
        chunks, trailer = _parse(body)
    except ValueError:
        return False
    for chunk in chunks:
        text = _text("PAYLOAD", claim, previous, sigv4.EMPTY_SHA256, hashlib.sha256(chunk.data).hexdigest())
        if not hmac.compare_digest(sigv4.sign(key, text).encode(), chunk.signature.encode()):
            return False
        previous = chunk.signature
    return _trailer_signed_correctly(trailer, claim, key, previous)


def _trailer_signed_correctly(trailer: bytes, claim: sigv4.Signature, key: bytes, previous: str) -> bool:
    lines = [line for line in trailer.split(b"\r\n") if line]
    if not lines:
        return True
    name, _, signature = lines[-1].partition(b":")
    signed = b"".join(line + b"\n" for line in lines[:-1])
    text = _text("TRAILER", claim, previous, hashlib.sha256(signed).hexdigest())
    return name == _TRAILER_SIGNATURE and hmac.compare_digest(sigv4.sign(key, text).encode(), signature)


def _text(kind: str, claim: sigv4.Signature, *parts: str) -> str:
    return "\n".join((f"AWS4-HMAC-SHA256-{kind}", claim.amz_date, claim.scope, *parts))


def _parse(body: bytes) -> tuple[tuple[_Chunk, ...], bytes]:
    chunks: list[_Chunk] = []
    position = 0
    for chunk, end in _chunks(body):
        chunks.append(chunk)
        position = end
    return tuple(chunks), body[position:]


def _chunks(body: bytes) -> Iterator[tuple[_Chunk, int]]:
    """Return each chunk and where it ends; the last has no data. Raises ValueError where the form is wrong."""
    position = 0
    while True:
        header_end = body.index(b"\r\n", position)
        size_text, _, signature = body[position:header_end].partition(b";chunk-signature=")
        size = int(size_text, 16)
        start = header_end + 2
        if size < 0 or len(body) < start + size:
            raise ValueError("a chunk is cut off")
        position = start + size + (2 if size else 0)
        yield _Chunk(body[start : start + size], signature.decode("ascii")), position
        if size == 0:
            return

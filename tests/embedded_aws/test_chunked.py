"""Uploads in signed chunks."""

from __future__ import annotations

import hashlib

import pytest

from embedded_aws import chunked, sigv4

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
CLAIM = sigv4.Signature(
    access_key_id="AKIAIOSFODNN7EXAMPLE",
    date="20130524",
    region="us-east-1",
    service="s3",
    signed_headers=("host",),
    signature="4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    amz_date="20130524T000000Z",
    session_token="",
    expires_seconds=None,
)
CHUNKS = (
    (b"a" * 65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
    (b"a" * 1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
    (b"", "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
)


def body(chunks: tuple[tuple[bytes, str], ...] = CHUNKS) -> bytes:
    return b"".join(f"{len(data):x};chunk-signature={signature}\r\n".encode() + data + b"\r\n" for data, signature in chunks)


def test_awss_published_example() -> None:
    """The chunks of AWS's own worked example verify."""
    assert chunked.signed_correctly(body(), CLAIM, SECRET)


@pytest.mark.parametrize(
    "damaged",
    [
        body().replace(b"aaaa", b"aaab", 1),
        body((CHUNKS[1], CHUNKS[0], CHUNKS[2])),
        body(CHUNKS[1:]),
        body()[:-40],
        b"zz;chunk-signature=0\r\n",
        b"",
    ],
    ids=["changed", "reordered", "first one missing", "cut off", "not a number", "nothing"],
)
def test_what_is_not_as_it_was_signed_is_refused(damaged: bytes) -> None:
    """Data, order and number of the chunks are all under the signature."""
    assert not chunked.signed_correctly(damaged, CLAIM, SECRET)


def test_a_signed_trailer() -> None:
    """A checksum that follows the data is signed too."""
    key = sigv4.signing_key(CLAIM, SECRET)
    signed = hashlib.sha256(b"x-amz-checksum-crc32:AAAAAA==\n").hexdigest()
    text = "\n".join(("AWS4-HMAC-SHA256-TRAILER", CLAIM.amz_date, CLAIM.scope, CHUNKS[-1][1], signed))
    trailer = f"x-amz-checksum-crc32:AAAAAA==\r\nx-amz-trailer-signature:{sigv4.sign(key, text)}\r\n\r\n".encode()
    whole = body()[:-2] + trailer

    assert chunked.signed_correctly(whole, CLAIM, SECRET)
    assert not chunked.signed_correctly(whole.replace(b"AAAAAA", b"BAAAAA"), CLAIM, SECRET)

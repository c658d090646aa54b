"""Verify a signed request: the right key, the right time, the right bytes."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from embedded_aws import api_key, chunked, sigv4
from embedded_aws.credentials import AccessKey, Keyring
from embedded_aws.http_messages import Request

_SKEW = timedelta(minutes=15)


class Refusal(Enum):
    """The reason why a signature was not accepted; the value appears in the security event."""

    UNSIGNED = "missing_signature"
    INCOMPLETE = "incomplete_signature"
    UNKNOWN_KEY = "unknown_access_key"
    BAD_TOKEN = "bad_session_token"  # noqa: S105  # a word, not a token
    EXPIRED_TOKEN = "expired_session_token"  # noqa: S105
    SKEWED = "request_time_skewed"
    EXPIRED_URL = "expired_presigned_url"
    UNSIGNED_HEADER = "header_not_signed"
    WRONG_SIGNATURE = "wrong_signature"
    WRONG_PAYLOAD = "wrong_payload_hash"


@dataclass(frozen=True)
class Caller:
    """The verified sender of a request, and the service and region that it was signed for."""

    key: AccessKey
    signature: sigv4.Signature


def read_claim(request: Request, keyring: Keyring) -> tuple[sigv4.Signature, AccessKey] | Refusal:
    """Return the claim of a request and the key that it names, from the head alone: no body is read for a stranger."""
    try:
        claim = sigv4.read(api_key.read_signed(request))
    except sigv4.Incomplete:
        return Refusal.INCOMPLETE
    if claim is None:
        return Refusal.UNSIGNED
    if api_key.is_present(request) and not api_key.is_of_bedrock(claim):
        return Refusal.INCOMPLETE
    key = keyring.find(claim.access_key_id)
    return (claim, key) if key else Refusal.UNKNOWN_KEY


def verify(request: Request, keyring: Keyring, now: datetime) -> Caller | Refusal:
    """Return the sender of this request, or why it is not verified."""
    read = read_claim(request, keyring)
    if isinstance(read, Refusal):
        return read
    claim, key = read
    # An API key signs none of the request that it is sent with.
    request = api_key.read_signed(request)
    # The signature first: a client without the key must not learn which of the other checks would pass.
    computed = sigv4.expected_signature(request, claim, key.secret_access_key.reveal())
    if not hmac.compare_digest(computed.encode(), claim.signature.encode()):
        return Refusal.WRONG_SIGNATURE
    return _token(key, claim, now) or _time(claim, now) or _headers(request, claim) or _payload(request, claim, key) or Caller(key, claim)


def _token(key: AccessKey, claim: sigv4.Signature, now: datetime) -> Refusal | None:
    expected = key.session_token.reveal() if key.session_token else ""
    if not hmac.compare_digest(expected.encode(), claim.session_token.encode()):
        return Refusal.BAD_TOKEN
    if key.expiration and now >= key.expiration:
        return Refusal.EXPIRED_TOKEN
    return None


def _time(claim: sigv4.Signature, now: datetime) -> Refusal | None:
    age = now - claim.signed_at
    if claim.expires_seconds is not None:
        in_time = -_SKEW <= age <= timedelta(seconds=claim.expires_seconds)
        return None if in_time else Refusal.EXPIRED_URL
    return None if abs(age) <= _SKEW else Refusal.SKEWED


def _headers(request: Request, claim: sigv4.Signature) -> Refusal | None:
    needed = {"host"} | {name for name, _ in request.headers if name.startswith("x-amz-")}
    return None if needed <= set(claim.signed_headers) else Refusal.UNSIGNED_HEADER


def _payload(request: Request, claim: sigv4.Signature, key: AccessKey) -> Refusal | None:
    declared = sigv4.payload_hash(request, claim)
    if declared.startswith(chunked.SIGNED):
        signed = chunked.signed_correctly(request.body, claim, key.secret_access_key.reveal())
        return None if signed else Refusal.WRONG_SIGNATURE
    if declared in (sigv4.UNSIGNED_PAYLOAD, chunked.UNSIGNED_WITH_TRAILER):
        return None
    actual = hashlib.sha256(request.body).hexdigest()
    return None if hmac.compare_digest(actual, declared.lower()) else Refusal.WRONG_PAYLOAD

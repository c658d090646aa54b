"""AWS Signature Version 4, on the side of the server: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html."""

from __future__ import annotations

import hashlib
import hmac
import posixpath
import re
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from urllib.parse import quote, unquote

from embedded_aws.http_messages import Request

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
_UNRESERVED = "-_.~"
_TIME = re.compile("[0-9]{8}T[0-9]{6}Z")
_HEADER = re.compile(
    r"Credential=(?P<credential>[^,\s]+)\s*,\s*SignedHeaders=(?P<signed>[^,\s]+)\s*,\s*Signature=(?P<signature>[0-9a-f]{64})"
)


class Incomplete(ValueError):
    """The request claims to be signed, but its signature can't be read."""


@dataclass(frozen=True)
class Signature:
    """The claim of a signed request: its signer, time, scope and signature."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    amz_date: str
    session_token: str
    expires_seconds: int | None
    """How long a presigned URL lives; None where the signature is in the Authorization header."""

    @property
    def scope(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"

    @cached_property
    def signed_at(self) -> datetime:
        """Parse the time of the signature, without `strptime`, which took a tenth of a verification. Raises ValueError."""
        if not _TIME.fullmatch(self.amz_date):
            raise ValueError(f"{self.amz_date!r} is no time of a signature")
        return datetime.fromisoformat(self.amz_date)


def read(request: Request) -> Signature | None:
    """Return the claim of a request; None where it is not signed. Raises Incomplete."""
    if request.header("authorization").startswith(ALGORITHM):
        return _from_header(request)
    if request.parameter("X-Amz-Algorithm") == ALGORITHM:
        return _from_query(request)
    return None


def expected_signature(request: Request, claim: Signature, secret_access_key: str) -> str:
    """Compute the signature of this request with this secret."""
    digest = hashlib.sha256(canonical_request(request, claim).encode()).hexdigest()
    return sign(signing_key(claim, secret_access_key), "\n".join((ALGORITHM, claim.amz_date, claim.scope, digest)))


def signing_key(claim: Signature, secret_access_key: str) -> bytes:
    return _derive_key(f"AWS4{secret_access_key}", claim.scope)


@lru_cache(maxsize=256)
def _derive_key(secret: str, scope: str) -> bytes:
    """Derive the key of a day, a region and a service: the same for all its calls."""
    key = secret.encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def sign(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(), "sha256").hex()


def canonical_request(request: Request, claim: Signature) -> str:
    headers = "".join(f"{name}:{' '.join(request.header(name).split())}\n" for name in claim.signed_headers)
    return "\n".join(
        (
            request.method,
            _canonical_path(request.raw_path, claim.service),
            _canonical_query(request, presigned=claim.expires_seconds is not None),
            headers,
            ";".join(claim.signed_headers),
            payload_hash(request, claim),
        )
    )


def payload_hash(request: Request, claim: Signature) -> str:
    """Return what the signature covers of the body: its hash, or the constant that the client sent instead."""
    declared = request.header("x-amz-content-sha256")
    if declared:
        return declared
    if claim.service == "s3" and claim.expires_seconds is not None:
        return request.parameter("X-Amz-Content-Sha256") or UNSIGNED_PAYLOAD
    return hashlib.sha256(request.body).hexdigest()


def _from_header(request: Request) -> Signature:
    parts = _HEADER.fullmatch(request.header("authorization").removeprefix(ALGORITHM).strip())
    if not parts:
        raise Incomplete("Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters.")
    return _signature(
        credential=parts["credential"],
        signed_headers=parts["signed"],
        signature=parts["signature"],
        amz_date=request.header("x-amz-date"),
        session_token=request.header("x-amz-security-token"),
        expires_seconds=None,
    )


def _from_query(request: Request) -> Signature:
    expires = request.parameter("X-Amz-Expires")
    if not expires.isdecimal() or not 0 < int(expires) <= 604_800:
        raise Incomplete("X-Amz-Expires must be a number between 1 and 604800.")
    return _signature(
        credential=request.parameter("X-Amz-Credential"),
        signed_headers=request.parameter("X-Amz-SignedHeaders"),
        signature=request.parameter("X-Amz-Signature"),
        amz_date=request.parameter("X-Amz-Date"),
        session_token=request.parameter("X-Amz-Security-Token"),
        expires_seconds=int(expires),
    )


# Asked twice for each request: before its body is read, and after.
@lru_cache(maxsize=64)
def _signature(
    *, credential: str, signed_headers: str, signature: str, amz_date: str, session_token: str, expires_seconds: int | None
) -> Signature:
    scope = credential.split("/")
    if len(scope) != 5 or scope[4] != "aws4_request":
        raise Incomplete("Credential must have the form key/date/region/service/aws4_request.")
    claim = Signature(
        access_key_id=scope[0],
        date=scope[1],
        region=scope[2],
        service=scope[3],
        signed_headers=tuple(sorted(signed_headers.lower().split(";"))),
        signature=signature,
        amz_date=amz_date,
        session_token=session_token,
        expires_seconds=expires_seconds,
    )
    try:
        agrees = claim.signed_at.strftime("%Y%m%d") == claim.date
    except ValueError as error:
        raise Incomplete("Date must be in ISO-8601 'basic format'.") from error
    if not agrees:
        raise Incomplete("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.")
    return claim


def _canonical_path(raw_path: str, service: str) -> str:
    if service == "s3":
        # S3 takes the path as it is and encodes it once: keys may hold dots and double slashes.
        return quote(unquote(raw_path), safe="/" + _UNRESERVED) or "/"
    normal = posixpath.normpath("/" + raw_path.lstrip("/"))
    if raw_path.endswith("/") and normal != "/":
        normal += "/"
    return quote(normal, safe="/" + _UNRESERVED)


def _canonical_query(request: Request, *, presigned: bool) -> str:
    pairs = (
        (quote(name, safe=_UNRESERVED), quote(value, safe=_UNRESERVED))
        for name, value in request.parameters
        if not (presigned and name == "X-Amz-Signature")
    )
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))

"""Time and session tokens of signed requests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded_aws import chunked, sigv4
from embedded_aws.credentials import AccessKey
from embedded_aws.http_messages import Request
from embedded_aws.verifier import Caller, Refusal, verify
from sre_core.secret import Secret

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ROOT = AccessKey("AKIAROOT", Secret("secret"), "arn:aws:iam::123456789012:root")
SESSION = replace(ROOT, access_key_id="ASIASESSION", session_token=Secret("token"), expiration=NOON + timedelta(hours=1))


@dataclass(frozen=True)
class Keys:
    """A keyring of given keys."""

    keys: tuple[AccessKey, ...] = (ROOT, SESSION)

    def find(self, access_key_id: str) -> AccessKey | None:
        return next((key for key in self.keys if key.access_key_id == access_key_id), None)


def request_of(
    key: AccessKey,
    *,
    signed_at: datetime = NOON,
    token: str = "",
    presigned_for: int | None = None,
    without: str = "",
    payload: str = sigv4.UNSIGNED_PAYLOAD,
    body: bytes = b"",
) -> Request:
    """A request that this key signed at that time; `without` this header."""
    date = signed_at.strftime("%Y%m%dT%H%M%SZ")
    credential = f"{key.access_key_id}/{date[:8]}/us-east-1/s3/aws4_request"
    headers: list[tuple[str, str]] = [("host", "127.0.0.1:1")]
    query = ""
    if presigned_for is None:
        headers += [("x-amz-date", date), ("x-amz-content-sha256", payload)]
        headers += [("x-amz-security-token", token)] if token else []
        signed = ";".join(sorted(name for name, _ in headers if name != without))
        headers.append(("authorization", f"{sigv4.ALGORITHM} Credential={credential}, SignedHeaders={signed}, Signature={'0' * 64}"))
    else:
        query = f"X-Amz-Algorithm={sigv4.ALGORITHM}&X-Amz-Credential={credential.replace('/', '%2F')}&X-Amz-Date={date}"
        query += f"&X-Amz-Expires={presigned_for}&X-Amz-SignedHeaders=host&X-Amz-Signature={'0' * 64}"
    return _with_signature(Request("GET", "/bucket/key", query, tuple(headers), body, ""), key)


def _with_signature(request: Request, key: AccessKey) -> Request:
    claim = sigv4.read(request)
    assert claim is not None
    signature = sigv4.expected_signature(request, claim, key.secret_access_key.reveal())
    header = request.header("authorization").replace("0" * 64, signature)
    signed = replace(request, query=request.query.replace("0" * 64, signature))
    return signed.with_headers([("authorization", header)]) if header else signed


def judged(request: Request, now: datetime = NOON) -> Caller | Refusal:
    return verify(request, Keys(), now)  # type: ignore[arg-type]  # it only calls `find`


@pytest.mark.parametrize("minutes", [-14, 0, 14])
def test_a_clock_that_differs_a_little_is_accepted(minutes: int) -> None:
    """Fifteen minutes either way, as on AWS."""
    assert isinstance(judged(request_of(ROOT, signed_at=NOON + timedelta(minutes=minutes))), Caller)


@pytest.mark.parametrize("minutes", [-16, 16])
def test_an_old_or_future_request_is_refused(minutes: int) -> None:
    """A request that was recorded can't be sent again later."""
    assert judged(request_of(ROOT, signed_at=NOON + timedelta(minutes=minutes))) is Refusal.SKEWED


def test_a_presigned_url_lives_as_long_as_it_says() -> None:
    """Until its expiry and not a second longer."""
    request = request_of(ROOT, presigned_for=600)

    assert isinstance(judged(request, NOON + timedelta(seconds=600)), Caller)
    assert judged(request, NOON + timedelta(seconds=601)) is Refusal.EXPIRED_URL
    assert judged(request, NOON - timedelta(minutes=16)) is Refusal.EXPIRED_URL


@pytest.mark.parametrize("unsigned", ["host", "x-amz-date", "x-amz-content-sha256"])
def test_what_every_signature_must_cover(unsigned: str) -> None:
    """The host and every header of AWS's own: who passes a request on could otherwise change them."""
    request = request_of(ROOT, without=unsigned)
    assert judged(request) is Refusal.UNSIGNED_HEADER


@pytest.mark.parametrize("signature", ["", "0" * 64])
def test_a_chunk_that_is_not_signed(signature: str) -> None:
    """The signature of the request is right, and its body is not that of the signer."""
    body = f"5;chunk-signature={signature}\r\nhello\r\n0;chunk-signature={signature}\r\n\r\n".encode()
    assert judged(request_of(ROOT, payload=chunked.SIGNED, body=body)) is Refusal.WRONG_SIGNATURE


def test_temporary_credentials_need_their_token() -> None:
    """Key and secret of a session are nothing without the token, and no key has another's token."""
    assert isinstance(judged(request_of(SESSION, token="token")), Caller)
    assert judged(request_of(SESSION)) is Refusal.BAD_TOKEN
    assert judged(request_of(SESSION, token="other")) is Refusal.BAD_TOKEN
    assert judged(request_of(ROOT, token="token")) is Refusal.BAD_TOKEN


def test_temporary_credentials_end() -> None:
    """After its expiration a session signs nothing."""
    late = NOON + timedelta(hours=1)

    assert judged(request_of(SESSION, token="token", signed_at=late), late) is Refusal.EXPIRED_TOKEN


odd = st.text(alphabet=st.characters(max_codepoint=255), max_size=40)
half_signed = st.one_of(
    odd, odd.map(lambda text: f"{sigv4.ALGORITHM} Credential={text}"), odd.map(lambda text: f"{sigv4.ALGORITHM} {text}")
)
queries = st.lists(
    st.tuples(st.sampled_from(["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Expires", "X-Amz-Date", "X-Amz-Signature"]), odd)
)


@given(header=half_signed, date=odd, query=queries, path=odd, body=st.binary(max_size=20))
def test_nonsense_is_refused_and_breaks_nothing(header: str, date: str, query: list[tuple[str, str]], path: str, body: bytes) -> None:
    """Any input is refused."""
    text = "&".join(f"{name}={sigv4.ALGORITHM if name == 'X-Amz-Algorithm' else value}" for name, value in query)
    request = Request("POST", f"/{path}", text, (("host", "x"), ("authorization", header), ("x-amz-date", date)), body, "")

    assert isinstance(judged(request), Refusal)

"""Signatures, against botocore's own signer: what AWS's clients send is accepted, and nothing that differs from it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from embedded_aws import sigv4
from embedded_aws.credentials import AccessKey
from embedded_aws.http_messages import Request
from embedded_aws.verifier import Caller, Refusal, verify
from sre_core import clock
from sre_core.secret import Secret

KEY = AccessKey("AKIATESTTESTTESTTEST", Secret("a secret"), "arn:aws:iam::123456789012:root")
ENDPOINT = "https://127.0.0.1:4443"


class OneKey:
    """A keyring with a single key."""

    def find(self, access_key_id: str) -> AccessKey | None:
        return KEY if access_key_id == KEY.access_key_id else None


def signed(service: str, method: str, path: str, query: dict[str, str], body: bytes, *, presigned: bool = False) -> Request:
    """A request as botocore signs and sends it."""
    credentials = Credentials(KEY.access_key_id, KEY.secret_access_key.reveal())
    text = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in query.items())
    unsigned = AWSRequest(method, f"{ENDPOINT}{quote(path, safe='/-_.~')}" + (f"?{text}" if text else ""), data=body)
    if presigned:
        signer = S3SigV4QueryAuth(credentials, service, "us-east-1", expires=600)
    else:
        signer = (S3SigV4Auth if service == "s3" else SigV4Auth)(credentials, service, "us-east-1")
        # So that this signer hashes the body, as it does over plain HTTP.
        unsigned.context["payload_signing_enabled"] = True
    signer.add_auth(unsigned)
    url = urlsplit(unsigned.prepare().url)
    headers = {"host": url.netloc, **{name.lower(): str(value) for name, value in unsigned.headers.items()}}
    return Request(method, url.path, url.query, tuple(headers.items()), body, "127.0.0.1")


def judged(request: Request) -> Caller | Refusal:
    return verify(request, OneKey(), clock.now())  # type: ignore[arg-type]  # it only calls `find`


paths = st.lists(st.text(alphabet="abz09 -_.~+=&é/%:@!", min_size=1, max_size=8), max_size=3).map(lambda parts: "/" + "/".join(parts))
queries = st.dictionaries(st.text(alphabet="aB-_ ~é&+", min_size=1, max_size=6), st.text(alphabet="aB =&/+%~é", max_size=8), max_size=4)


@given(service=st.sampled_from(["s3", "sts", "bedrock-agentcore"]), path=paths, query=queries, body=st.binary(max_size=64))
def test_what_botocore_signs_is_accepted(service: str, path: str, query: dict[str, str], body: bytes) -> None:
    """For any path, query and body, the signer is recognised."""
    outcome = judged(signed(service, "POST", path, query, body))

    assert isinstance(outcome, Caller)
    assert outcome.signature.service == service


@given(path=paths, query=queries)
def test_a_presigned_url_is_accepted(path: str, query: dict[str, str]) -> None:
    """A signature in the query is as good as one in a header."""
    assert isinstance(judged(signed("s3", "GET", path, query, b"", presigned=True)), Caller)


@pytest.mark.parametrize("seconds", ["604801", "0", "-5", "soon", ""])
def test_a_url_that_would_live_longer_than_a_week(seconds: str) -> None:
    """AWS refuses it before it looks at the signature; so does it a time that is none."""
    request = signed("s3", "GET", "/bucket/key", {}, b"", presigned=True)
    query = request.query.replace("X-Amz-Expires=600", f"X-Amz-Expires={seconds}")
    with pytest.raises(sigv4.Incomplete):
        sigv4.read(replace(request, query=query))


def changed(request: Request, part: str) -> Request:
    """The same request with one part changed on its way."""
    if part == "header":
        return request.with_headers([("x-amz-date", "20200101T000000Z")])
    if part == "signature":
        last = request.header("authorization")[-1]
        return request.with_headers([("authorization", request.header("authorization")[:-1] + ("0" if last != "0" else "1"))])
    changes = {"method": "PUT", "raw_path": request.raw_path + "x", "query": request.query + "&x=1", "body": request.body + b"x"}
    return replace(request, **{part: changes[part]})


@given(
    service=st.sampled_from(["s3", "sts"]), part=st.sampled_from(["method", "raw_path", "query", "body", "header", "signature"]), path=paths
)
def test_any_change_is_refused(service: str, part: str, path: str) -> None:
    """A signature is good for one request only."""
    outcome = judged(changed(signed(service, "POST", path, {"a": "b"}, b"body"), part))

    assert outcome in (Refusal.WRONG_SIGNATURE, Refusal.WRONG_PAYLOAD, Refusal.INCOMPLETE)


def test_an_unsigned_header_is_refused() -> None:
    """An `x-amz-` header that was added after signing is refused."""
    request = signed("s3", "PUT", "/bucket/key", {}, b"")

    assert judged(request.with_headers([("x-amz-acl", "public-read")])) is Refusal.UNSIGNED_HEADER


def test_a_scope_of_another_day_is_refused() -> None:
    """The day in the scope is that of the request, even where the key has signed both: a signing key is good for one day."""
    request = signed("sts", "POST", "/", {}, b"")
    claim = sigv4.read(request)
    assert claim
    stale = replace(claim, date="20200101")
    forged = (
        request.header("authorization")
        .replace(f"/{claim.date}/", "/20200101/")
        .replace(claim.signature, sigv4.expected_signature(request, stale, KEY.secret_access_key.reveal()))
    )

    assert judged(request.with_headers([("authorization", forged)])) is Refusal.INCOMPLETE


def test_an_unknown_key_is_refused() -> None:
    """A well-formed signature of a foreign key proves nothing."""
    request = signed("sts", "POST", "/", {}, b"")
    header = request.header("authorization").replace(KEY.access_key_id, "AKIASOMEBODYELSE1234")

    assert judged(request.with_headers([("authorization", header)])) is Refusal.UNKNOWN_KEY


def test_a_request_without_a_signature_says_so() -> None:
    """No signature, and no half of one, is taken for a caller."""
    request = Request("POST", "/", "", (("host", "127.0.0.1:4443"),), b"", "127.0.0.1")

    assert judged(request) is Refusal.UNSIGNED
    assert judged(request.with_headers([("authorization", f"{sigv4.ALGORITHM} Credential=a/b")])) is Refusal.INCOMPLETE
    assert judged(replace(request, query=f"X-Amz-Algorithm={sigv4.ALGORITHM}&X-Amz-Expires=9999999")) is Refusal.INCOMPLETE


def test_awss_published_example() -> None:
    """The signature of AWS's own worked example comes out: GetObject with a range, in the S3 documentation."""
    headers = (
        ("host", "examplebucket.s3.amazonaws.com"),
        ("range", "bytes=0-9"),
        ("x-amz-content-sha256", hashlib.sha256(b"").hexdigest()),
        ("x-amz-date", "20130524T000000Z"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
    )
    request = Request("GET", "/test.txt", "", headers, b"", "")
    claim = sigv4.read(request)

    assert claim is not None
    assert sigv4.expected_signature(request, claim, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY") == claim.signature

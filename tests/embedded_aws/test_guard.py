"""A web page can't make this AWS do anything: the attacks, over the wire."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import warnings
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from fixtures.embedded import EmbeddedAws
from sre_core import clock

FORM = "Action=GetCallerIdentity&Version=2011-06-15"


def answer(aws: EmbeddedAws, method: str, path: str = "/", body: str = "", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Send exactly these headers; `Host` is the endpoint's own unless it is given."""
    url = urlsplit(aws.endpoint)
    connection = http.client.HTTPSConnection(
        "127.0.0.1", url.port or 443, context=ssl.create_default_context(cafile=aws.ca_file), timeout=120
    )
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, {"Host": url.netloc, **named})
    response = connection.getresponse()
    found = response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    connection.close()
    return found


def allows_nothing(headers: dict[str, str]) -> bool:
    return not any(name.startswith("access-control-") for name in headers)


def test_a_preflight_is_refused(embedded: EmbeddedAws) -> None:
    """A browser that asks whether a page may call gets no permission."""
    status, headers, _ = answer(
        embedded,
        "OPTIONS",
        Origin="https://evil.example",
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="authorization",
    )

    assert status == 403
    assert allows_nothing(headers)


def test_options_without_an_origin_is_refused(embedded: EmbeddedAws) -> None:
    """No program of AWS's sends OPTIONS."""
    assert answer(embedded, "OPTIONS")[0] == 403


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_simple_post_of_a_page_is_refused(embedded: EmbeddedAws, content_type: str) -> None:
    """Requests that browsers send without a preflight are refused by their Origin."""
    status, headers, _ = answer(embedded, "POST", body=FORM, Origin="https://evil.example", Content_Type=content_type)

    assert status == 403
    assert allows_nothing(headers)


def test_a_request_of_another_site_without_origin_is_refused(embedded: EmbeddedAws) -> None:
    """An image or a form of another site says where it comes from in Sec-Fetch-Site."""
    assert answer(embedded, "GET", Sec_Fetch_Site="cross-site")[0] == 403
    assert answer(embedded, "GET", Origin="null")[0] == 403


@pytest.mark.parametrize("named", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_a_signed_request_of_a_page_is_refused(embedded: EmbeddedAws, named: dict[str, str]) -> None:
    """A page that a user gave the keys to, or that got a presigned URL, is a page all the same."""
    client = embedded.client("secretsmanager", region_name="eu-west-3")

    def send_as_a_page(request: AWSPreparedRequest, **_: object) -> None:
        request.headers.update(named)

    assert client.list_secrets()["SecretList"] == []
    client.meta.events.register("before-send", send_as_a_page)
    try:
        with pytest.raises(ClientError, match="from_a_web_page"):
            client.list_secrets()
    finally:
        client.meta.events.unregister("before-send", send_as_a_page)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:443", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example:{port}", "[::1]:{port}", ""]
)
def test_another_host_name_is_refused(embedded: EmbeddedAws, host: str) -> None:
    """A page whose own name resolves to 127.0.0.1 is recognised by that name."""
    port = urlsplit(embedded.endpoint).port

    assert answer(embedded, "GET", Host=host.format(port=port))[0] in (400, 421)


def test_two_host_headers_are_refused(embedded: EmbeddedAws) -> None:
    """A good name beside a bad one is refused as well."""
    url = urlsplit(embedded.endpoint)
    connection = http.client.HTTPSConnection("127.0.0.1", url.port or 443, context=ssl.create_default_context(cafile=embedded.ca_file))
    connection.putrequest("GET", "/", skip_host=True)
    connection.putheader("Host", url.netloc)
    connection.putheader("Host", "evil.example")
    connection.endheaders()
    assert connection.getresponse().status in (400, 421)
    connection.close()


def test_an_unsigned_request_is_refused(embedded: EmbeddedAws) -> None:
    """Being on this machine is no permission."""
    status, headers, body = answer(embedded, "POST", body=FORM, Content_Type="application/x-www-form-urlencoded")

    assert status == 403
    assert b"<Code>MissingAuthenticationToken</Code>" in body
    assert allows_nothing(headers)


@pytest.mark.parametrize("path", ["/moto-api/", "/moto-api/data.json", "/moto-api/reset", "/latest/meta-data/iam/", "//moto-api/reset"])
def test_motos_own_api_is_closed(embedded: EmbeddedAws, path: str) -> None:
    """Without a signature nothing of moto's control API answers."""
    assert answer(embedded, "POST", path)[0] == 403


def test_a_body_that_is_too_large_is_refused_before_it_is_read(embedded: EmbeddedAws) -> None:
    """No request can fill this machine's memory."""
    url = urlsplit(embedded.endpoint)
    connection = http.client.HTTPSConnection("127.0.0.1", url.port or 443, context=ssl.create_default_context(cafile=embedded.ca_file))
    connection.putrequest("PUT", "/bucket/key")
    # Only for a caller whose key is known is a body read at all.
    credential = f"{embedded.registry['access_key_id']}/{clock.now():%Y%m%d}/us-east-1/s3/aws4_request"
    connection.putheader("Authorization", f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature={'0' * 64}")
    connection.putheader("X-Amz-Date", f"{clock.now():%Y%m%dT%H%M%SZ}")
    connection.putheader("Content-Length", str(10**12))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_a_pages_body_is_not_even_read(embedded: EmbeddedAws) -> None:
    """The refusal comes before the body does."""
    url = urlsplit(embedded.endpoint)
    connection = http.client.HTTPSConnection(
        "127.0.0.1", url.port or 443, context=ssl.create_default_context(cafile=embedded.ca_file), timeout=120
    )
    connection.putrequest("POST", "/")
    connection.putheader("Origin", "https://evil.example")
    connection.putheader("Content-Length", "1000000")
    connection.endheaders()
    assert connection.getresponse().status == 403
    connection.close()


def _raw(aws: EmbeddedAws) -> ssl.SSLSocket:
    url = urlsplit(aws.endpoint)
    plain = socket.create_connection(("127.0.0.1", url.port or 443), timeout=120)
    return ssl.create_default_context(cafile=aws.ca_file).wrap_socket(plain, server_hostname="127.0.0.1")


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("", 403),
        ("AWS4-HMAC-SHA256 Credential=a/b", 400),
        ("AWS4-HMAC-SHA256 Credential=AKIANOBODY/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=none", 400),
    ],
)
def test_the_body_of_a_stranger_is_not_read(embedded: EmbeddedAws, authorization: str, status: int) -> None:
    """A request without a signature, or with one that can't be read, is answered from its head alone."""
    host = urlsplit(embedded.endpoint).netloc
    signed = f"Authorization: {authorization}\r\n" if authorization else ""
    with _raw(embedded) as connection:
        connection.sendall(f"PUT /bucket/key HTTP/1.1\r\nHost: {host}\r\n{signed}Content-Length: 100000000\r\n\r\n".encode())
        assert connection.recv(64).split()[1] == str(status).encode()


@pytest.mark.parametrize("service", ["s3", "ec2", "sts", "bedrock-agentcore"])
def test_a_signature_that_cannot_be_read(embedded: EmbeddedAws, service: str) -> None:
    """It is a bad request in every protocol, not a forbidden one."""
    credential = f"AKIANOBODY/20260101/us-east-1/{service}/aws4_request"
    header = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=none"
    assert answer(embedded, "POST", body=FORM, Authorization=header)[0] == 400


@pytest.mark.parametrize("line", ["x-filler: {filler}\r\n", "x-filler-without-an-end: {filler}"])
def test_a_head_that_is_too_large(embedded: EmbeddedAws, line: str) -> None:
    """It is refused before it is whole."""
    host = urlsplit(embedded.endpoint).netloc
    with _raw(embedded) as connection, contextlib.suppress(ConnectionError, ssl.SSLError):
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n".encode())
        for _ in range(64):
            connection.sendall(line.format(filler="x" * 16000).encode())
        assert connection.recv(64).split()[1:2] in ([b"431"], [])


def test_malformed_requests_that_are_signed(embedded: EmbeddedAws) -> None:
    """A body that is no JSON or no XML is answered with 400, as a mistake of its sender."""
    for service, path, headers in (
        ("secretsmanager", "/", {"X-Amz-Target": "secretsmanager.ListSecrets", "Content-Type": "application/x-amz-json-1.1"}),
        ("bedrock-agentcore", "/gateways/", {"Content-Type": "application/json"}),
        ("s3", "/any-bucket-name?tagging", {"Content-Type": "application/xml"}),
    ):
        embedded.client("s3").create_bucket(Bucket="any-bucket-name")
        assert _signed(embedded, service, path, headers) == 400, service


@pytest.mark.parametrize("path", ["/moto-api/", "/moto-api/data.json", "/moto-api/seed?a=1", "/latest/meta-data/iam/"])
def test_motos_own_api_is_closed_to_the_account_itself(embedded: EmbeddedAws, path: str) -> None:
    """No signature opens it: it is no API of AWS."""
    assert _signed(embedded, "sts", path, {}) == 404


def _signed(aws: EmbeddedAws, service: str, path: str, headers: dict[str, str]) -> int:
    """Send a body that is malformed in every protocol, signed by botocore."""
    credentials = Credentials(aws.registry["access_key_id"], aws.registry["secret_access_key"])
    method = "PUT" if service == "s3" else "POST"
    request = AWSRequest(method, aws.endpoint + path, data=b"<not {json", headers=headers)
    (S3SigV4Auth if service == "s3" else SigV4Auth)(credentials, service, aws.region).add_auth(request)
    named = {name.replace("-", "_"): str(value) for name, value in request.headers.items()}
    return answer(aws, method, path, "<not {json", **named)[0]


def test_plain_http_and_old_tls_get_no_answer(embedded: EmbeddedAws) -> None:
    """TLS 1.2 is the oldest that is spoken, and nothing is spoken in the clear."""
    url = urlsplit(embedded.endpoint)
    plain = http.client.HTTPConnection("127.0.0.1", url.port or 443, timeout=120)
    with pytest.raises((http.client.HTTPException, OSError)):
        plain.request("GET", "/")
        plain.getresponse()
    old = ssl.create_default_context(cafile=embedded.ca_file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python too finds these versions too old
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    connection = http.client.HTTPSConnection("127.0.0.1", url.port or 443, context=old, timeout=120)
    with pytest.raises(OSError):
        connection.request("GET", "/")

"""One set of requests, two front doors: what passes the built-in one is what passes nginx in production."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from embedded_aws.instances.credentials import Credentials
from embedded_aws.instances.front_door import open_front_door
from fixtures.ports import free_port
from sre_agent_deploy.instance import Layout
from sre_agent_deploy.instance.nginx import LARGEST_BODY, NginxPaths, render_nginx_conf
from sre_core.machine import FrontDoor, Listener, Route, SecretRef
from sre_core.security_event import EVENT, describe_denial, read_denial

pytestmark = pytest.mark.anyio

TINY = Path(__file__).parents[1] / "embedded_aws/instances/tiny_service.py"
SERVICES = ("assistant", "logs", "down")


@dataclass(frozen=True)
class Door:
    """An open front door of any kind."""

    https: str
    http: str
    port: int
    nginx: bool = False


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, object]]:
    """The event loop that the local AWS has: its connections end with other errors than asyncio's own."""
    return "asyncio", {"loop_factory": uvloop.new_event_loop}


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """A machine's folders with a certificate; its sockets lie where their paths are short."""
    root = tmp_path_factory.mktemp("m")
    layout = Layout(root / "release", root / "root", root / "etc", root / "run")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    layout.certificate.parent.mkdir(parents=True)
    pem = serialization.Encoding.PEM
    layout.certificate.write_bytes(certificate.public_bytes(pem))
    layout.key.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return layout


@pytest.fixture(scope="module")
def services(layout: Layout) -> Iterator[None]:
    """Two services that run; a third one is published and does not."""
    with contextlib.ExitStack() as running:
        for name in ("assistant", "logs"):
            layout.socket(name).parent.mkdir(parents=True)
            command = [sys.executable, "-I", str(TINY), name, "--socket", str(layout.socket(name))]
            process = running.enter_context(subprocess.Popen(command, stderr=subprocess.DEVNULL))
            running.callback(process.kill)
        deadline = time.monotonic() + 120
        while not all(layout.socket(name).exists() for name in ("assistant", "logs")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield


@pytest.fixture(scope="module", params=["built-in", pytest.param("nginx", marks=pytest.mark.needs("nginx"))])
async def door(request: pytest.FixtureRequest, layout: Layout, services: None) -> AsyncIterator[Door]:
    https, http = free_port(), free_port()
    routes = (Route("/api/logs/", "logs"), Route("/api/down/", "down"), Route("/", "assistant"))
    described = FrontDoor("", SecretRef("arn:c"), (Listener(https, "public", routes),), http)
    opened = Door(f"https://127.0.0.1:{https}", f"http://127.0.0.1:{http}", https, request.param == "nginx")
    if request.param == "nginx":
        with nginx(described, layout):
            await listening(http)
            yield opened
    else:
        async with built_in(described, layout):
            yield opened


@contextlib.asynccontextmanager
async def built_in(described: FrontDoor, layout: Layout) -> AsyncIterator[None]:
    certificates = Credentials(layout.secrets, layout.certificate, layout.key, ())
    async with contextlib.AsyncExitStack() as opened:
        sockets = {name: layout.socket(name) for name in SERVICES}
        await open_front_door(described, "127.0.0.1", sockets, certificates, opened)
        yield


@contextlib.contextmanager
def nginx(described: FrontDoor, layout: Layout) -> Iterator[None]:
    folder = layout.root
    (folder / "tmp").mkdir(parents=True)
    # As root it would become a user who can't reach this test's folders; otherwise it has no other user to become.
    place = NginxPaths(folder / "pid", folder, folder / "tmp", "user root;" if os.geteuid() == 0 else "", "127.0.0.1")
    conf = folder / "nginx.conf"
    conf.write_text(render_nginx_conf(described, layout, place))
    said = subprocess.run(["nginx", "-t", "-c", str(conf)], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert "[warn]" not in said.stderr
    with subprocess.Popen(["nginx", "-c", str(conf), "-g", "daemon off;"]) as server:
        try:
            yield
        finally:
            server.terminate()


async def listening(port: int) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
            continue
        writer.close()
        return


async def exchange(door: Door, head: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    """One raw request over TLS, exactly as written, and the answer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port, ssl=context)
    writer.write((head.replace("\n", "\r\n") + "\r\nHost: localhost\r\nConnection: close\r\n\r\n").encode() + body)
    start = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
    status, *lines = start.decode().strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    received = await asyncio.wait_for(reader.readexactly(int(headers["content-length"])), 20)
    writer.close()
    return int(status.split()[1]), headers, received


@pytest.mark.parametrize(
    ("path", "service", "asked"),
    [
        ("/", "assistant", "/"),
        ("/invocations?x=1&y=%2F", "assistant", "/invocations?x=1&y=%2F"),
        ("/api/logs/search?pattern=a%20b", "logs", "/search?pattern=a%20b"),
        ("/api/logs/", "logs", "/"),
        ("/api/logs", "assistant", "/api/logs"),
        ("/api/logsx", "assistant", "/api/logsx"),
        ("/api/logs/a%20b", "logs", "/a%20b"),
        ("/a?next=../../b//c", "assistant", "/a?next=../../b//c"),
    ],
)
async def test_where_a_path_leads(door: Door, path: str, service: str, asked: str) -> None:
    """The longest route takes it, and is replaced by a slash; the query passes as it is."""
    status, _, received = await exchange(door, f"GET {path} HTTP/1.1")
    said = json.loads(received)
    assert (status, said["service"], said["path"]) == (200, service, asked)


@pytest.mark.parametrize(
    "path", ["/api/logs/../x", "/./x", "/..", "/a/%2e%2e/b", "/a/.%2E", "/api%2Flogs/x", "/a%5Cb", "/a\\b", "//x", "/a//b", "/a%00"]
)
async def test_a_path_with_two_meanings(door: Door, path: str) -> None:
    """It is refused before any service sees it."""
    status, _, _ = await exchange(door, f"GET {path} HTTP/1.1")
    assert status == 400


async def _only_line(log: Path, capfd: pytest.CaptureFixture[str], holding: str, before: int = 0) -> str:
    """The one event that holds this text. nginx writes it after the answer, so lines of the test before may come with it."""
    errors, lines = "", list[str]()
    async with asyncio.timeout(10):
        while not lines:
            await asyncio.sleep(0.05)
            errors += capfd.readouterr().err
            kept = log.read_text().splitlines()[before:] if log.exists() else []
            lines = [line for line in (*kept, *errors.splitlines()) if EVENT in line and holding in line]
    [line] = lines
    return line


@pytest.mark.parametrize("path", ["/a//eyJhbGciOiJub25lIn0.e30.", "/a//" + "k" * 40])
async def test_what_the_door_refuses_is_one_event(door: Door, layout: Layout, capfd: pytest.CaptureFixture[str], path: str) -> None:
    """The same event of OCSF, class API Activity, with the id that the client was given, and no query and no token in it."""
    log = layout.root / "security.log"
    capfd.readouterr()
    answered, headers, _ = await exchange(door, f"DELETE {path}?q=private HTTP/1.1\nX-Request-Id: forged")
    line = await _only_line(log, capfd, headers["x-request-id"])
    event = read_denial(line)
    assert event is not None
    assert event["metadata"]["correlation_uid"] == event["api"]["request"]["uid"] == headers["x-request-id"] != "forged"
    assert abs(event.pop("time") / 1000 - time.time()) < 60
    expected = describe_denial(
        service="front-door",
        reason="ambiguous_path",
        method="DELETE",
        path="***" if door.nginx else "/a//***",
        client="127.0.0.1",
        status=str(answered),
        request_id=headers["x-request-id"],
        subject="",
        time=0,
        activity=(4, "Delete"),
        facts={},
    )
    assert {"time": 0, **event} == expected
    assert answered == 400
    assert not [secret for secret in ("private", "eyJ", "kkkk") if secret in line]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"no request\r\n\r\n", "malformed_request"),
        (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", "malformed_request"),
        (b"GET /" + b"a" * 300_000, "head_too_large"),
    ],
)
async def test_what_can_not_be_read_is_one_event(
    door: Door, layout: Layout, capfd: pytest.CaptureFixture[str], sent: bytes, reason: str
) -> None:
    """A request that ends before it has a path is refused, and leaves one event with the client's address."""
    log = layout.root / "security.log"
    before = len(log.read_text().splitlines()) if log.exists() else 0
    capfd.readouterr()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port, ssl=context)
    writer.write(sent)
    with contextlib.suppress(ConnectionError):
        await asyncio.wait_for(reader.read(), 20)
    writer.close()
    line = await _only_line(log, capfd, reason, before)
    event = read_denial(line)
    assert event is not None
    assert (event["class_uid"], event["src_endpoint"], event["status_detail"]) == (6003, {"ip": "127.0.0.1"}, reason)
    assert event["status_code"].startswith("4")
    assert event["metadata"]["correlation_uid"]


async def test_the_id_of_a_request(door: Door) -> None:
    """The service and the client get one id, and it is not the one that the client made up."""
    _, headers, received = await exchange(door, "GET /echo HTTP/1.1\nX-Request-Id: forged")
    given = [value for name, value in json.loads(received)["headers"] if name.lower() == "x-request-id"]
    assert given == [headers["x-request-id"]] != ["forged"]


async def test_who_a_service_believes_to_talk_to(door: Door) -> None:
    """The door says who asked and how; what the client claims does not arrive."""
    removed = (
        "Forwarded", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Server", "X-Forwarded-Ssl",
        "X-Real-IP", "X-Original-URL", "X-Rewrite-URL", "Proxy", "TE", "X_Api_Key",
    )  # fmt: skip
    claims = "\n".join(("X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: http", *(f"{name}: evil" for name in removed)))
    _, _, received = await exchange(door, f"GET /echo HTTP/1.1\n{claims}\nX-API-Key: real")
    headers = [(name.lower(), value) for name, value in json.loads(received)["headers"]]
    assert [value for name, value in headers if name == "x-forwarded-for"] == ["127.0.0.1"]
    assert [value for name, value in headers if name == "x-forwarded-proto"] == ["https"]
    assert ("x-api-key", "real") in headers
    assert ("host", "localhost") in headers
    assert [(name, value) for name, value in headers if name in map(str.lower, removed) or value == "evil"] == []


async def test_what_every_answer_carries(door: Door) -> None:
    """HSTS and nosniff, on a service's answers and on the door's own; no program tells its version."""
    for path in ("/health", "/a//b"):
        _, headers, _ = await exchange(door, f"GET {path} HTTP/1.1")
        assert headers["strict-transport-security"] == "max-age=63072000"
        assert headers["x-content-type-options"] == "nosniff"
        assert "tiny" not in headers.get("server", "")
        assert "/" not in headers.get("server", "")


async def test_a_service_that_is_down(door: Door) -> None:
    """502, in JSON, with the same code and sentence."""
    status, headers, received = await exchange(door, "GET /api/down/health HTTP/1.1")
    assert (status, headers["content-type"]) == (502, "application/json")
    assert json.loads(received)["error"] == {
        "code": "FRONT-DOOR-SERVICE-UNAVAILABLE",
        "message": "The service down does not answer. Try again in a moment.",
    }


async def test_a_body_that_is_too_large(door: Door) -> None:
    """413, in JSON, from its declared length alone."""
    status, _, received = await exchange(door, f"POST /echo HTTP/1.1\nContent-Length: {LARGEST_BODY + 1}")
    assert status == 413
    assert json.loads(received)["error"]["code"] == "FRONT-DOOR-BODY-TOO-LARGE"


async def test_a_body_that_streams(door: Door) -> None:
    """A chunked body arrives whole."""
    body = b"".join(b"5\r\nhello\r\n" for _ in range(1000)) + b"0\r\n\r\n"
    status, _, received = await exchange(door, "POST /echo HTTP/1.1\nTransfer-Encoding: chunked", body)
    assert (status, json.loads(received)["length"]) == (200, 5000)


async def test_an_answer_that_streams(door: Door) -> None:
    """The first event arrives long before the last is written."""
    async with aiohttp.ClientSession() as client, client.get(door.https + "/stream", ssl=False) as answer:
        assert await asyncio.wait_for(answer.content.readline(), 10) == b"data: 0\n"


async def test_plain_http(door: Door) -> None:
    """The redirect port answers 308 and nothing else; a TLS port answers no HTTP at all."""
    async with aiohttp.ClientSession() as client:
        for method in ("GET", "POST", "DELETE"):
            async with client.request(method, door.http + "/api/logs/x?y=1", allow_redirects=False) as answer:
                assert answer.status == 308
                assert answer.headers["Location"] == "https://127.0.0.1/api/logs/x?y=1"
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"HTTP" not in await asyncio.wait_for(reader.read(), 20)
    writer.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_tls(door: Door, version: ssl.TLSVersion) -> None:
    """Both versions of the profile are spoken, and its old ciphers are not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    _, writer = await asyncio.open_connection("127.0.0.1", door.port, ssl=context)
    writer.close()
    context.maximum_version = context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES256-SHA384:AES128-GCM-SHA256")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", door.port, ssl=context)

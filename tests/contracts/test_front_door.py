"""One set of requests, two front doors: what passes the built-in one is what passes nginx in production."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
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
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from embedded_aws.instances.credentials import Credentials
from embedded_aws.instances.front_door import open_front_door
from embedded_aws.instances.machine import Machine
from sre_agent_deploy.instance.layout import Layout
from sre_agent_deploy.instance.machine import FrontDoor, Listener, Route, SecretRef
from sre_agent_deploy.instance.nginx import LARGEST_BODY, Place, nginx_conf

pytestmark = pytest.mark.anyio

TINY = Path(__file__).parents[1] / "embedded_aws/instances/tiny_service.py"
SERVICES = ("assistant", "logs")


@dataclass(frozen=True)
class Door:
    """An open front door, whichever it is."""

    https: str
    http: str
    port: int


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
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


@pytest.fixture
def services(layout: Layout) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    running = {}
    for name in SERVICES:
        layout.socket(name).parent.mkdir(parents=True)
        command = [sys.executable, "-I", str(TINY), name, "--socket", str(layout.socket(name))]
        running[name] = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not all(layout.socket(name).exists() for name in SERVICES):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    yield running
    for process in running.values():
        process.kill()
        process.wait()


@pytest.fixture(params=["built-in", pytest.param("nginx", marks=pytest.mark.needs("nginx"))])
async def door(request: pytest.FixtureRequest, layout: Layout, services: object) -> AsyncIterator[Door]:
    https, http = free_ports(2)
    routes = (Route("/api/logs/", "logs"), Route("/", "assistant"))
    described = FrontDoor("", SecretRef("arn:c"), (Listener(https, "public", routes),), http)
    opened = Door(f"https://127.0.0.1:{https}", f"http://127.0.0.1:{http}", https)
    opening = built_in(described, layout) if request.param == "built-in" else nginx(described, layout, http)
    async with opening:
        yield opened


@contextlib.asynccontextmanager
async def built_in(described: FrontDoor, layout: Layout) -> AsyncIterator[None]:
    certificates = Credentials(layout.secrets, layout.certificate, layout.key, ())
    async with contextlib.AsyncExitStack() as opened:
        sockets = {name: layout.socket(name) for name in SERVICES}
        await open_front_door(read_by_the_host(described).front_door, "127.0.0.1", sockets, certificates, opened)
        yield


def read_by_the_host(described: FrontDoor) -> Machine:
    services = [{"name": name, "command": [], "environment": {}, "credentials": {}, "health_path": "/health"} for name in SERVICES]
    release, status = {"uri": "s3://b/r", "sha256": ""}, {"uri": "s3://b/s/"}
    parts = {"schema": 1, "release": release, "status": status, "services": services, "front_door": described.to_json()}
    return Machine.parse(json.dumps(parts))


@contextlib.asynccontextmanager
async def nginx(described: FrontDoor, layout: Layout, http: int) -> AsyncIterator[None]:
    folder = layout.root
    (folder / "tmp").mkdir(parents=True)
    # Without root, nginx has no other user to become; with it, `nobody` could not reach this test's folders.
    place = Place(folder / "pid", folder, folder / "tmp", "user root;" if Path("/root").owner() == Path.home().owner() else "", "127.0.0.1")
    conf = folder / "nginx.conf"
    conf.write_text(nginx_conf(described, layout, place))
    program = shutil.which("nginx") or "nginx"
    said = subprocess.run([program, "-t", "-c", str(conf)], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert "[warn]" not in said.stderr
    server = subprocess.Popen([program, "-c", str(conf), "-g", "daemon off;"])
    try:
        await listening(http)
        yield
    finally:
        server.terminate()
        server.wait()


async def listening(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
            continue
        writer.close()
        return


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in taken]


async def exchange(door: Door, head: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    """One raw request over TLS, exactly as written, and the answer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port, ssl=context)
    writer.write((head.replace("\n", "\r\n") + "\r\nHost: localhost\r\nConnection: close\r\n\r\n").encode() + body)
    start, _, received = (await asyncio.wait_for(reader.read(), 20)).partition(b"\r\n\r\n")
    writer.close()
    status, *lines = start.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(status.split()[1]), headers, received


def document(received: bytes) -> dict:
    return json.loads(received[received.index(b"{") : received.rindex(b"}") + 1])


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
    said = document(received)
    assert (status, said["service"], said["path"]) == (200, service, asked)


@pytest.mark.parametrize(
    "path", ["/api/logs/../x", "/./x", "/..", "/a/%2e%2e/b", "/a/.%2E", "/api%2Flogs/x", "/a%5Cb", "/a\\b", "//x", "/a//b", "/a%00"]
)
async def test_a_path_with_two_meanings(door: Door, path: str) -> None:
    """It is refused before any service sees it."""
    status, _, _ = await exchange(door, f"GET {path} HTTP/1.1")
    assert status == 400


async def test_who_a_service_believes_to_talk_to(door: Door) -> None:
    """The door says who asked and how; what the client claims does not arrive."""
    claims = "X-Forwarded-For: 192.0.2.1\nX-Forwarded-Proto: http\nX-Forwarded-Host: evil\nForwarded: for=evil\nX-Real-IP: 192.0.2.1\nX_Api_Key: k"
    _, _, received = await exchange(door, f"GET /echo HTTP/1.1\n{claims}\nX-API-Key: real")
    headers = [(name.lower(), value) for name, value in document(received)["headers"]]
    assert [value for name, value in headers if name == "x-forwarded-for"] == ["127.0.0.1"]
    assert [value for name, value in headers if name == "x-forwarded-proto"] == ["https"]
    assert ("x-api-key", "real") in headers
    assert ("host", "localhost") in headers
    assert not {"forwarded", "x-real-ip", "x-forwarded-host", "x_api_key"} & {name for name, _ in headers}


async def test_what_every_answer_carries(door: Door) -> None:
    """HSTS and nosniff, on a service's answers and on the door's own; no program tells its version."""
    for path in ("/health", "/a//b"):
        _, headers, _ = await exchange(door, f"GET {path} HTTP/1.1")
        assert headers["strict-transport-security"] == "max-age=63072000"
        assert headers["x-content-type-options"] == "nosniff"
        assert "tiny" not in headers.get("server", "")
        assert "/" not in headers.get("server", "")


async def test_a_service_that_is_down(door: Door, services: dict[str, subprocess.Popen[bytes]]) -> None:
    """502, in JSON, with the same code; the other services answer."""
    services["logs"].kill()
    services["logs"].wait()
    status, headers, received = await exchange(door, "GET /api/logs/health HTTP/1.1")
    assert (status, headers["content-type"]) == (502, "application/json")
    error = document(received)["error"]
    assert error == {
        "code": "FRONT-DOOR-SERVICE-UNAVAILABLE",
        "message": "The service logs does not answer. Try again in a moment.",
    }
    assert (await exchange(door, "GET /health HTTP/1.1"))[0] == 200


async def test_a_body_that_is_too_large(door: Door) -> None:
    """413, in JSON, from its declared length alone."""
    status, _, received = await exchange(door, f"POST /echo HTTP/1.1\nContent-Length: {LARGEST_BODY + 1}")
    assert status == 413
    assert document(received)["error"]["code"] == "FRONT-DOOR-BODY-TOO-LARGE"


async def test_a_body_that_streams(door: Door) -> None:
    """A chunked body arrives whole."""
    body = b"".join(b"5\r\nhello\r\n" for _ in range(1000)) + b"0\r\n\r\n"
    status, _, received = await exchange(door, "POST /echo HTTP/1.1\nTransfer-Encoding: chunked", body)
    assert (status, document(received)["length"]) == (200, 5000)


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

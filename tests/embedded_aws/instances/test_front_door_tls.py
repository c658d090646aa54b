"""The front door's ports: TLS, plain HTTP, and headers that name the server."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl

import aiohttp
import pytest

pytestmark = pytest.mark.anyio


async def handshake(address: str, port: int, context: ssl.SSLContext) -> tuple[str | None, str]:
    _, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=address)
    tls = writer.get_extra_info("ssl_object")
    writer.close()
    return tls.version(), tls.cipher()[0]


async def test_tls_that_clients_can_have(world, machine) -> None:
    """TLS 1.2 and 1.3 with forward secrecy, and the certificate of the secret."""
    launch = machine("alpha")
    port = (await launch.ready())[443]
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = world.trust()
        context.minimum_version = context.maximum_version = version
        spoken, cipher = await handshake(launch.address, port, context)
        assert spoken == version.name.replace("v1_", "v1.")
        assert cipher.startswith(("ECDHE-", "TLS_"))


@pytest.mark.parametrize("ciphers", ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "AES128-GCM-SHA256"])
async def test_ciphers_outside_the_intermediate_profile(world, machine, ciphers: str) -> None:
    """CBC and key exchange without forward secrecy are refused."""
    launch = machine("alpha")
    port = (await launch.ready())[443]
    context = world.trust()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(ciphers)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await handshake(launch.address, port, context)


async def test_plain_http_on_a_tls_port(machine) -> None:
    """Plain HTTP gets no HTTP answer."""
    launch = machine("alpha")
    port = (await launch.ready())[443]
    reader, writer = await asyncio.open_connection(launch.address, port)
    writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"HTTP" not in await reader.read()
    writer.close()


async def test_the_redirect_port(machine, host) -> None:
    """Every plain request is sent to HTTPS with its path and query, and gets nothing else."""
    launch = machine("alpha")
    await launch.ready()
    _, port = host.door_of("i-1", 80)
    async with aiohttp.ClientSession() as client:
        for method in ("GET", "POST"):
            url = f"http://{launch.address}:{port}/api/alpha/health?a=%2F"
            async with client.request(method, url, allow_redirects=False, headers={"Host": "sre.example.com:8080"}) as answer:
                assert answer.status == 308
                assert answer.headers["Location"].startswith("https://sre.example.com/api/alpha/health?a=")
                assert await answer.read() == b""
        async with client.get(f"http://{launch.address}:{port}/", allow_redirects=False, headers={"Host": "a/b@c"}) as answer:
            assert answer.status == 400


async def test_what_every_answer_carries(machine, browser) -> None:
    """HSTS is on every answer; none names a server program."""
    launch = machine("alpha")
    base = f"https://{launch.address}:{(await launch.ready())[443]}"
    for path in ("/health", "/api//x"):
        async with browser.get(base + path) as answer:
            assert answer.headers["Strict-Transport-Security"] == "max-age=63072000"
            assert "Server" not in answer.headers
            assert len(answer.headers.getall("Date")) == 1


async def test_a_port_that_is_taken(world, machine, browser) -> None:
    """A taken port is no obstacle: a free one is used and reported."""
    launch = machine("alpha")
    with socket.create_server((launch.address, 443)):
        actual = (await launch.ready())[443]
        assert actual != 443
        async with browser.get(f"https://{launch.address}:{actual}/health") as answer:
            assert answer.status == 200


async def test_a_certificate_that_is_renewed(world, machine) -> None:
    """New connections get the certificate from Secrets Manager, while the front door stays open; an unusable one is not used."""
    launch = machine("alpha")
    port = (await launch.ready())[443]

    async def served() -> bytes:
        _, writer = await asyncio.open_connection(launch.address, port, ssl=world.trust(), server_hostname=launch.address)
        writer.close()
        return writer.get_extra_info("ssl_object").getpeercert(binary_form=True)

    before = await served()
    world.secrets["arn:certificate"] = "{}"
    await asyncio.sleep(1.5)
    assert await served() == before
    renewed = world.authority.issue(launch.address)
    world.secrets["arn:certificate"] = json.dumps({"certificate": renewed.chain, "private_key": renewed.key})
    wanted = ssl.PEM_cert_to_DER_cert(renewed.chain)
    for _ in range(50):
        if await served() == wanted:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the new certificate is not served")

"""A world of its own for each test: S3, secrets and a certificate authority in memory, and everything else for real."""

from __future__ import annotations

import asyncio
import hashlib
import io
import ipaddress
import itertools
import json
import ssl
import time
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from embedded_aws.addresses import LoopbackAddresses
from embedded_aws.instances.host import InstanceHost
from embedded_aws.world import ServerCertificate, TemporaryCredentials
from sre_core.secret import Secret

PROFILE = "arn:aws:iam::123456789012:instance-profile/sre-agent"
API_KEY = "the-api-key-that-nobody-may-see"
_TINY = Path(__file__).with_name("tiny_service.py")
# Each test process has loopback addresses of its own, so that 443 of one test is never 443 of another.
_addresses = itertools.count(1)


class MemoryAuthority:
    """Issues real certificates with a key of this test."""

    def __init__(self, ca_file: Path) -> None:
        self.ca_file = ca_file
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test CA")])
        ca = self._builder(self._name, self._key).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        ca_file.write_bytes(ca.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(self, *names: str) -> ServerCertificate:
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(name)) for name in names])
        certificate = self._builder(x509.Name([]), key).add_extension(alternatives, critical=True).sign(self._key, hashes.SHA256())
        pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return ServerCertificate(certificate.public_bytes(serialization.Encoding.PEM).decode(), key.private_bytes(*pem).decode())

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return x509.CertificateBuilder(
            self._name, subject, key.public_key(), x509.random_serial_number(), now - timedelta(hours=1), now + timedelta(days=1)
        )


@dataclass
class MemoryWorld:
    """The parts of an account that the host needs."""

    folder: Path
    authority: MemoryAuthority
    objects: dict[str, bytes] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    account_id: str = "123456789012"
    region: str = "us-east-1"
    endpoint: str = "https://127.0.0.1:1"
    addresses: LoopbackAddresses = field(default_factory=LoopbackAddresses)

    def s3_object(self, uri: str) -> bytes | None:
        return self.objects.get(uri)

    def put_s3_object(self, uri: str, body: bytes) -> None:
        if not uri.startswith("s3://bucket/"):
            raise KeyError(uri)
        self.objects[uri] = body

    def secret(self, arn: str) -> str | None:
        return self.secrets.get(arn)

    def secret_stages(self, arn: str) -> Mapping[str, str]:
        return {"AWSCURRENT": self.secrets[arn]} if arn in self.secrets else {}

    def role_exists(self, arn: str) -> bool:
        return True

    def role_of_profile(self, profile_arn: str) -> str | None:
        return "arn:aws:iam::123456789012:role/sre-agent" if profile_arn == PROFILE else None

    def credentials_for_role(self, role_arn: str, session_name: str) -> TemporaryCredentials:
        return TemporaryCredentials("ASIA", Secret("secret"), Secret("token"), datetime.max.replace(tzinfo=UTC))

    def as_role(self, role_arn: str, session_name: str) -> MemoryWorld:
        return self

    def resolve(self, host: str) -> str | None:
        return host

    def owned_address(self, address: str) -> bool:
        return True

    async def listen(self, app: object, *, address: str = "127.0.0.1", port: int = 0) -> Any:
        raise NotImplementedError

    def status(self, step: str, machine: str = "instance-1") -> dict[str, Any]:
        """Return what the bootstrap last reported of a step, or nothing."""
        place, name = f"s3://bucket/status/{machine}/", f"/{step}.json"
        bodies = (body for uri, body in self.objects.items() if uri.startswith(place) and uri.endswith(name))
        return dict(json.loads(next(bodies, b"{}")))

    async def wait_for_status(self, machine: str = "instance-1") -> dict[str, Any]:
        """The first step that failed, else the last one when it is done."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            steps = [self.status(step, machine) for step in ("release", "credentials", "services", "front_door", "ready")]
            for status in steps:
                if status.get("state") == "failed" or (status.get("step") == "ready" and status.get("state") == "ok"):
                    return status
            await asyncio.sleep(0.02)
        raise AssertionError(f"the boot did not settle: {steps}")

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.authority.ca_file)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """The event loop that the local AWS has: its connections end with other errors than asyncio's own."""
    return "asyncio", {"loop_factory": uvloop.new_event_loop}


@pytest.fixture
def loopback() -> Callable[[], str]:
    """A loopback address that no other test uses at the same time."""
    block = int(hashlib.sha256(str(time.time_ns()).encode()).hexdigest()[:4], 16)

    def fresh() -> str:
        return f"127.{64 + block % 128}.{block >> 8}.{next(_addresses) % 250 + 1}"

    return fresh


@pytest.fixture
def world(tmp_path: Path) -> MemoryWorld:
    return MemoryWorld(folder=tmp_path / "world", authority=MemoryAuthority(tmp_path / "ca.pem"))


@pytest.fixture
async def host(world: MemoryWorld) -> AsyncIterator[InstanceHost]:
    host = InstanceHost(world)
    yield host
    await host.close()


@pytest.fixture
def release() -> bytes:
    return packed({"tiny/__init__.py": b"", "tiny/__main__.py": _TINY.read_bytes()})


def packed(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return out.getvalue()


@pytest.fixture
def pack() -> Callable[[dict[str, bytes]], bytes]:
    return packed


@dataclass
class Launch:
    """A machine that a test can change before it is launched."""

    world: MemoryWorld
    host: InstanceHost
    address: str
    machine: dict[str, Any]

    def user_data(self) -> bytes:
        file = {"path": "/etc/sre-agent/machine.json", "content": json.dumps(self.machine)}
        return b"#cloud-config\n" + json.dumps({"write_files": [file], "runcmd": [["true"]]}).encode()

    async def __call__(self, instance_id: str = "i-1") -> None:
        await self.host.launch(instance_id, self.user_data(), self.address, PROFILE)

    async def ready(self, instance_id: str = "i-1") -> dict[int, int]:
        """Launch, wait, and give the actual port of each listener."""
        await self(instance_id)
        status = await self.world.wait_for_status(self.machine["machine"])
        assert status["state"] == "ok", status
        return {each["port"]: each["actual_port"] for each in status["listeners"]}


@pytest.fixture
def machine(world: MemoryWorld, host: InstanceHost, release: bytes, loopback: Callable[[], str]) -> Callable[..., Launch]:
    """Makes machines that serve `tiny` under several names."""

    def make(*names: str, number: int = 1) -> Launch:
        names = names or ("alpha", "beta")
        address = loopback()
        certificate = world.authority.issue(address, "127.0.0.1")
        world.secrets["arn:certificate"] = json.dumps({"certificate": certificate.chain, "private_key": certificate.key})
        world.secrets["arn:key"] = json.dumps({"api_key": API_KEY})
        world.objects["s3://bucket/release.zip"] = release
        return Launch(world, host, address, described(names, hashlib.sha256(release).hexdigest(), f"instance-{number}"))

    return make


def described(names: tuple[str, ...], sha256: str, machine: str) -> dict[str, Any]:
    routes = [{"path": f"/api/{name}/", "service": name} for name in names[1:]] + [{"path": "/", "service": names[0]}]
    return {
        "schema": 1,
        "deployment_id": "sre-test",
        "machine": machine,
        "generation": 1,
        "region": "us-east-1",
        "release": {"uri": "s3://bucket/release.zip", "sha256": sha256},
        "status": {"uri": f"s3://bucket/status/{machine}/"},
        "services": [
            {
                "name": name,
                "command": ["-m", "tiny", name],
                "environment": {"SRE_RECORDING": "crash-loop"},
                "credentials": {"api-key": {"secret_arn": "arn:key", "json_key": "api_key"}},
                "health_path": "/health",
                "uses_role": name == "alpha",
            }
            for name in names
        ],
        "front_door": {
            "domain": "",
            "certificate": {"secret_arn": "arn:certificate"},
            "listeners": [
                {"port": 443, "scope": "public", "routes": routes},
                {"port": 8011, "scope": "vpc", "routes": [{"path": "/", "service": names[-1]}]},
            ],
            "redirect_port": 80,
        },
        "timers": [],
    }


@pytest.fixture
async def browser(world: MemoryWorld) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that trusts this world's authority and follows no redirect by itself."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=world.trust(), force_close=True)) as session:
        yield session


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    """Waits until something becomes true, or fails."""

    async def wait(true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 120
        while not true():
            assert time.monotonic() < deadline, "it never became true"
            await asyncio.sleep(0.02)

    return wait

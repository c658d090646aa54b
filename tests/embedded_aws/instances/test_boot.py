"""An instance from launch to ready, and its reports of failures."""

from __future__ import annotations

import asyncio
import hashlib
import json
import stat
from pathlib import Path

import aiohttp
import psutil
import pytest

pytestmark = pytest.mark.anyio

API_KEY = "the-api-key-that-nobody-may-see"


def processes_of(world) -> list[psutil.Process]:
    """List the processes whose command line or environment names this test's folder; a socket with a long path is elsewhere."""
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        texts = (*(process.info["cmdline"] or ()), *(process.info["environ"] or {}).values())
        if any(str(world.folder) in part for part in texts):
            found.append(process)
    return found


def text_of(file: str) -> str:
    return Path(file).read_text()


async def test_boot_to_ready(world, machine, browser: aiohttp.ClientSession) -> None:
    """Every step reports ok, and each service answers over TLS through its route."""
    launch = machine("alpha", "beta")
    ports = await launch.ready()
    for step in ("release", "credentials", "services", "front_door", "ready"):
        assert world.status(step) | {"time": ""} == world.status(step) | {"state": "ok", "step": step, "time": ""}
    for port, path, service in ((443, "/health", "alpha"), (443, "/api/beta/health", "beta"), (8011, "/health", "beta")):
        async with browser.get(f"https://{launch.address}:{ports[port]}{path}") as answer:
            assert (await answer.json())["service"] == service


async def test_the_supervisor_is_killed(world, machine, browser: aiohttp.ClientSession, eventually) -> None:
    """The instance comes back by itself, as a machine reboots whose first process ended; terminated, it leaves nothing."""
    launch = machine("alpha", "beta")
    ports = await launch.ready()
    before = {process.pid for process in processes_of(world)}
    [supervisor] = {psutil.Process(pid).ppid() for pid in before} - before
    psutil.Process(supervisor).kill()
    await eventually(lambda: not before & {process.pid for process in processes_of(world)})
    for _ in range(400):
        async with browser.get(f"https://{launch.address}:{ports[443]}/health") as answer:
            if answer.status == 200:
                break
        await asyncio.sleep(0.05)
    assert answer.status == 200
    await launch.host.terminate("i-1")
    assert processes_of(world) == []


async def test_environment_of_a_service(world, machine, browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service sees what machine.json says, the role of its instance if it uses it, and nothing of the person who runs this AWS."""
    monkeypatch.setenv("AWS_PROFILE", "my-employer")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid")
    launch = machine("alpha", "beta")
    ports = await launch.ready()
    role = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    for path, own in {"/api/beta/environment": set(), "/environment": role}.items():
        async with browser.get(f"https://{launch.address}:{ports[443]}{path}") as answer:
            environment = (await answer.json())["environment"]
        # `LC_CTYPE` is set by Python itself where the locale is C.
        assert set(environment) - {"LC_CTYPE"} - own == {
            "PATH", "LANG", "HOME", "SRE_RECORDING", "PYTHONPATH", "CREDENTIALS_DIRECTORY", "SSL_CERT_FILE",
            "AWS_CA_BUNDLE", "AWS_EC2_METADATA_DISABLED", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL_DYNAMODB",
        }  # fmt: skip
        assert own <= set(environment)
    assert world.authority.ca_file.read_text().strip() in text_of(environment["SSL_CERT_FILE"])


async def test_credentials_are_private_files(world, machine, browser) -> None:
    """A credential arrives as a file that only its owner reads, and nowhere else."""
    launch = machine("alpha")
    ports = await launch.ready()
    async with browser.get(f"https://{launch.address}:{ports[443]}/credential/api-key") as answer:
        assert await answer.json() == {"credential": API_KEY, "mode": 0o600}
    folders = [path for path in (world.folder / "instances/i-1/credentials").rglob("*") if path.is_dir()]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
    assert not [process for process in processes_of(world) if API_KEY in " ".join(process.cmdline())]
    assert not [uri for uri, body in world.objects.items() if API_KEY.encode() in body]


async def test_another_release_than_the_named_one(world, machine) -> None:
    """A release with another hash is not unpacked, let alone run."""
    launch = machine()
    world.objects["s3://bucket/release.zip"] += b"tampered"
    await launch()
    failed = await world.wait_for_status()
    assert failed["step"] == "release"
    assert "SHA-256" in failed["what"]
    assert not (world.folder / "instances/i-1/release").exists()


async def test_a_release_that_is_absent(world, machine) -> None:
    """The report names the object that is missing."""
    launch = machine()
    launch.machine["release"]["uri"] = "s3://bucket/other.zip"
    await launch()
    assert "s3://bucket/other.zip does not exist" in (await world.wait_for_status())["what"]


async def test_a_damaged_release(world, machine) -> None:
    """Bytes that are no zip fail the release step, though their hash is right."""
    launch = machine()
    world.objects["s3://bucket/release.zip"] = b"PK no zip"
    launch.machine["release"]["sha256"] = hashlib.sha256(b"PK no zip").hexdigest()
    await launch()
    assert "not a zip" in (await world.wait_for_status())["what"]


async def test_a_service_that_ends_at_start(world, machine, eventually) -> None:
    """The report has its output without the secret it printed, and nothing is left running."""
    await machine("alpha", "broken")()
    failed = await world.wait_for_status()
    assert failed["step"] == "services"
    assert "broken ended with exit code 7" in failed["what"]
    assert "could not start with ***" in failed["output"]
    assert API_KEY not in json.dumps(failed)
    await eventually(lambda: not processes_of(world))


async def test_a_secret_that_is_missing(world, machine) -> None:
    """The report says which secret, and for whom."""
    launch = machine("alpha")
    del world.secrets["arn:key"]
    await launch()
    failed = await world.wait_for_status()
    assert failed["step"] == "credentials"
    assert "arn:key (the credential api-key of alpha)" in failed["what"]


@pytest.mark.parametrize("value", ["not json", "[]", "{}", '{"api_key": ""}', '{"api_key": 1}'])
async def test_a_secret_of_another_form(world, machine, value: str) -> None:
    """A secret without the wanted key fails the step; its text is not shown."""
    launch = machine("alpha")
    world.secrets["arn:key"] = value
    await launch()
    failed = await world.wait_for_status()
    assert failed["step"] == "credentials"
    assert "arn:key" in failed["what"]
    assert "not json" not in failed["what"]


async def test_a_certificate_with_another_key(world, machine, eventually) -> None:
    """The front door does not open, and the services that already ran are ended."""
    launch = machine("alpha")
    one, other = world.authority.issue("127.0.0.1"), world.authority.issue("127.0.0.1")
    world.secrets["arn:certificate"] = json.dumps({"certificate": one.chain, "private_key": other.key})
    await launch()
    failed = await world.wait_for_status()
    assert failed["step"] == "front_door"
    assert other.key.splitlines()[1] not in json.dumps(failed)
    await eventually(lambda: not processes_of(world))


async def test_an_instance_without_machine_json(world, host, loopback) -> None:
    """A plain AMI runs and does nothing, with any user data."""
    for user_data in (
        b"",
        b"#!/bin/sh\nexit 1\n",
        b"#cloud-config\nruncmd: [[false]]\n",
        b"#cloud-config\n- not a mapping\n",
        b"#cloud-config\n{",
    ):
        await host.launch("i-plain", user_data, loopback(), None)
    assert world.objects == {}


async def test_an_instance_without_a_role(world, host, machine) -> None:
    """Without an instance profile it can read no release and report nothing, as on AWS."""
    launch = machine()
    before = dict(world.objects)
    await host.launch("i-1", launch.user_data(), launch.address, None)
    assert world.objects == before


async def test_a_crashed_service_comes_back(world, machine, browser, eventually) -> None:
    """A service that ends with a failure is started again behind the same front door."""
    launch = machine("alpha")
    ports = await launch.ready()
    base = f"https://{launch.address}:{ports[443]}"

    async def pid() -> int | None:
        async with browser.get(base + "/health") as answer:
            return (await answer.json())["pid"] if answer.status == 200 else None

    before = await pid()
    async with browser.get(base + "/die") as answer:
        assert answer.status == 502
    for _ in range(400):
        if (after := await pid()) is not None:
            break
        await asyncio.sleep(0.02)
    assert after not in (None, before)


async def test_terminated(world, host, machine, eventually) -> None:
    """No process, no listener and no file of a terminated instance is left."""
    launch = machine()
    await launch.ready()
    assert processes_of(world)
    await host.terminate("i-1")
    await eventually(lambda: not processes_of(world))
    assert not (world.folder / "instances/i-1").exists()


async def test_terminated_while_it_boots(world, host, machine, eventually) -> None:
    """An instance can be terminated at any moment."""
    await machine()()
    await eventually(lambda: world.status("services").get("state") == "running")
    await host.terminate("i-1")
    await eventually(lambda: not processes_of(world))
    assert not world.status("ready")


async def test_stopped_and_started(world, host, machine, browser, eventually) -> None:
    """A stopped instance runs nothing; started, it serves again."""
    launch = machine("alpha")
    await launch.ready()
    await host.stop("i-1")
    await eventually(lambda: not processes_of(world))
    del world.objects["s3://bucket/status/instance-1/i-1/ready.json"]
    await host.start("i-1")
    status = await world.wait_for_status()
    async with browser.get(f"https://{launch.address}:{status['listeners'][0]['actual_port']}/health") as answer:
        assert answer.status == 200

"""Boot one instance in systemd-nspawn or QEMU, for `python -m embedded_aws serve --boot-with`: how it asks is in its `program.py`.

The disk is an overlay over the image, whose changes are in a file system of their own, or for QEMU a file: a machine that is stopped and
started finds what it had, and one that fills its disk does not fill this computer's.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from booted import agent, imds, network, vm
from booted.network import METADATA, Network

PORTS = (443, 80, 8011, 8012, 8013, 8014)
# Beside the console's log: the process whose child is the machine's first.
PID_FILE = "nspawn.pid"
# And the names that it has asked for.
NAMES_FILE = "names"
# Where processes are grouped: one hierarchy, or those of a computer that has the older ones, too.
_HIERARCHIES = map(Path, ("/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"))
_CGROUPS = tuple(each for each in _HIERARCHIES if (each / "cgroup.procs").exists())
# What systemd-nspawn answers for a machine that wants to be started again.
REBOOT = 133
_STOP_WITHIN = 20
# As large as deployment.volume_gb says, and empty: the file has only the blocks that were written.
_VOLUME_BYTES = 50 << 30
# In place of the package, which Debian's image has not: its version, and no Compose.
DOCKER = '#!/bin/sh\n[ "$1" = version ] && echo 25.0.8\n'


async def drive(kind: str, image: Path, others: set[int]) -> None:
    """Read what to boot, boot it, and keep it until standard input closes. `others` are further ports that the machine needs here."""
    commands = await _standard_input()
    instance: dict[str, Any] = json.loads(await commands.readline())
    folder, run = Path(instance["folder"]), {"nspawn": _container, "qemu": _vm}[kind]
    async with contextlib.AsyncExitStack() as running:
        made = running.enter_context(network.opened(instance["instance_id"], instance["ipv6_address"], vm=kind == "qemu"))
        await running.enter_async_context(imds.serve(network.listening_in(made.vpc, METADATA, 80), instance))
        await running.enter_async_context(network.names_recorded(made, folder / NAMES_FILE))
        ports = await running.enter_async_context(network.ports_relayed(made, instance["private_ip"], PORTS))
        await running.enter_async_context(run(image, instance, made, _endpoints(instance) | others))
        print(json.dumps({"ports": ports}), flush=True)
        await commands.read()


@contextlib.asynccontextmanager
async def _container(image: Path, instance: dict[str, Any], made: Network, endpoints: set[int]) -> AsyncIterator[None]:
    folder = Path(instance["folder"])
    with _disk(image, folder / "disk") as root:
        _personalise(root, instance)
        async with network.endpoints_relayed(made.machine, "127.0.0.1", endpoints), _machine(root, made, folder):
            yield


@contextlib.asynccontextmanager
async def _vm(image: Path, instance: dict[str, Any], made: Network, endpoints: set[int]) -> AsyncIterator[None]:
    folder = Path(instance["folder"])
    disk = folder / "disk.raw"
    if not disk.exists():
        with _disk(image, folder / "disk") as root:
            _personalise(root, instance)
            vm.prepare(root, instance["ipv6_address"], endpoints)
            vm.write_disk(root, disk)
    async with network.endpoints_relayed(made.vpc, network.ROUTER, endpoints), vm.running(disk, made, folder, instance["instance_id"]):
        yield


def _endpoints(instance: dict[str, Any]) -> set[int]:
    """Find the ports of this computer that the machine needs: of AWS, and those that its user data names."""
    text = base64.b64decode(instance["user_data"]).decode() + instance["endpoint"]
    return {int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", text)}


@contextlib.contextmanager
def _disk(image: Path, folder: Path) -> Iterator[Path]:
    """Mount an overlay over the image."""
    root, volume, file = folder / "root", folder / "volume", folder / "volume.ext4"
    for each in (root, volume):
        each.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        with file.open("wb") as empty:
            empty.truncate(_VOLUME_BYTES)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-E", "lazy_itable_init=1", str(file)], check=True)
    upper, work = volume / "upper", volume / "work"
    with _mounted("ext4", file, volume, "loop,noinit_itable"):
        for each in (upper, work):
            each.mkdir(exist_ok=True)
        for each in (root, upper, work):
            # It becomes the machine's `/`, which all of its users read.
            each.chmod(0o755)
        with _mounted("overlay", "overlay", root, f"lowerdir={image},upperdir={upper},workdir={work}"):
            yield root


@contextlib.contextmanager
def _mounted(kind: str, source: Path | str, at: Path, options: str) -> Iterator[None]:
    subprocess.run(["mount", "-t", kind, "-o", options, str(source), str(at)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=False)


def _personalise(root: Path, instance: dict[str, Any]) -> None:
    """Give the machine what would be the internet's: where AWS is, and the authority that its certificates are from."""
    (root / "etc/resolv.conf").write_text(f"nameserver {network.ROUTER}\noptions timeout:2 attempts:1\n")
    (root / "usr/local/bin/docker").write_text(DOCKER)
    (root / "usr/local/bin/docker").chmod(0o755)
    (root / "etc/systemd/system/docker.service").write_text(
        "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"
    )
    agent.install(root)
    ca_file = root / "usr/local/share/ca-certificates/aws.crt"
    if ca_file.exists():
        return
    shutil.copy(instance["ca_file"], ca_file)
    subprocess.run(["chroot", str(root), "update-ca-certificates"], stdout=sys.stderr, stderr=sys.stderr, check=True)
    bundle = "/etc/ssl/certs/ca-certificates.crt"
    settings = {"AWS_ENDPOINT_URL": instance["endpoint"], "AWS_CA_BUNDLE": bundle, "SSL_CERT_FILE": bundle}
    environment = " ".join(f"{name}={value}" for name, value in settings.items())
    conf = root / "etc/systemd/system.conf.d/aws.conf"
    conf.parent.mkdir(parents=True, exist_ok=True)
    conf.write_text(f"[Manager]\nDefaultEnvironment={environment}\n")


@contextlib.asynccontextmanager
async def _machine(root: Path, made: Network, folder: Path) -> AsyncIterator[None]:
    """Run the machine, again after each reboot; it is stopped in order with the block."""
    running = asyncio.create_task(_keep_booted(root, made, folder / "console.log"))
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])


async def _keep_booted(root: Path, made: Network, console: Path) -> None:
    code = REBOOT
    while code == REBOOT:
        with console.open("ab") as log:
            nspawn = await asyncio.create_subprocess_exec(
                "systemd-nspawn", "--boot", "--quiet", "--directory", str(root), "--machine", made.machine, "--keep-unit", "--register=no",
                f"--network-namespace-path={made.path}", "--resolv-conf=off", "--timezone=off", "--console=pipe",
                "--kill-signal=SIGRTMIN+4",
                # systemd enforces IPAddressDeny= by BPF.
                "--system-call-filter=bpf", "--capability=CAP_BPF",
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={"PATH": os.environ["PATH"], "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
                preexec_fn=functools.partial(_enter_cgroups, made.machine),
            )  # fmt: skip
        console.with_name(PID_FILE).write_text(str(nspawn.pid))
        try:
            code = await nspawn.wait()
        finally:
            await _stop(nspawn)
            _remove_cgroups(made.machine)


def _enter_cgroups(machine: str) -> None:
    """Enter control groups of this machine alone: in those of another one, its systemd can't kill what it doesn't see."""
    for own in (hierarchy / machine for hierarchy in _CGROUPS):
        own.mkdir(exist_ok=True)
        (own / "cgroup.procs").write_text("0")


def _remove_cgroups(machine: str) -> None:
    for own in (hierarchy / machine for hierarchy in _CGROUPS):
        for folder, _, _ in os.walk(own, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)  # noqa: PTH106  # no file of a control group is removed before it


async def _stop(nspawn: asyncio.subprocess.Process) -> None:
    if nspawn.returncode is not None:
        return
    nspawn.terminate()
    try:
        await asyncio.wait_for(nspawn.wait(), _STOP_WITHIN)
    except TimeoutError:
        nspawn.kill()
        await nspawn.wait()


async def _standard_input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


if __name__ == "__main__":
    # It ends with its standard input; a Ctrl-C in a terminal must not end the machine before its owner says so.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(drive(sys.argv[1], Path(sys.argv[2]), set(map(int, sys.argv[3:]))))

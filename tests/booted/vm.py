"""Boot one instance in QEMU: a kernel of its own, from a disk, in a machine that says it is one of EC2 by its DMI.

It computes by emulation where the processor offers no virtualization, many times slower.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from booted.guest import AGENT_SOCKET
from booted.network import ADDRESS, MAC, ROUTER, Network

PROGRAM = "qemu-system-x86_64"
# Beside the console's log: the process of the machine.
PID_FILE = "qemu.pid"
_MONITOR = "monitor"
_DISK_SIZE = "8G"
_MEMORY = "4G"
# Under emulation a machine needs long to stop in order.
_STOP_WITHIN = 55
_NETWORK = f"[Match]\nMACAddress={MAC}\n[Network]\nAddress={ADDRESS}/24\nGateway={ROUTER}\n"
_SOCKET = "[Socket]\nListenStream=127.0.0.1:{port}\n"
_PROXY = f"[Service]\nExecStart=/lib/systemd/systemd-socket-proxyd {ROUTER}:{{port}}\n"
# A disk of EC2 is NVMe; Debian's kernel for clouds has that and ext4 built in.
_KERNEL_OPTIONS = "root=/dev/nvme0n1 rw console=ttyS0 net.ifnames=0 mitigations=off"


def is_emulated() -> bool:
    """Say if the processor that runs here can run no virtual machine, so that QEMU computes what it would do."""
    flags = Path("/proc/cpuinfo").read_text().split()
    return not (os.access("/dev/kvm", os.W_OK) and {"vmx", "svm"} & set(flags))


def prepare(root: Path, ipv6: str, ports: set[int]) -> None:
    """Give the machine its network, and these ports of its own loopback that lead to the same ports of this computer."""
    units = root / "etc/systemd/system"
    network = root / "etc/systemd/network/10-ec2.network"
    network.write_text(_NETWORK + (f"Address={ipv6}/64\n" if ipv6 else ""))
    # What reads it is not root.
    network.chmod(0o644)
    wanted = {"multi-user.target.wants/systemd-networkd.service": "/lib/systemd/system/systemd-networkd.service"}
    for port in ports:
        (units / f"to-aws-{port}.socket").write_text(_SOCKET.format(port=port))
        (units / f"to-aws-{port}.service").write_text(_PROXY.format(port=port))
        wanted[f"sockets.target.wants/to-aws-{port}.socket"] = f"/etc/systemd/system/to-aws-{port}.socket"
    wanted["network-online.target.wants/systemd-networkd-wait-online.service"] = "/lib/systemd/system/systemd-networkd-wait-online.service"
    for link, target in wanted.items():
        (units / link).parent.mkdir(exist_ok=True)
        (units / link).unlink(missing_ok=True)
        (units / link).symlink_to(target)


def write_disk(root: Path, disk: Path) -> None:
    """Write a disk with these files."""
    new = disk.with_suffix(".new")
    command = ("mke2fs", "-q", "-t", "ext4", "-d", str(root), str(new), _DISK_SIZE)
    # Standard output is the driver's.
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    new.rename(disk)


@contextlib.asynccontextmanager
async def running(disk: Path, made: Network, folder: Path, instance_id: str) -> AsyncIterator[None]:
    """Run the machine, again after each reboot; it is stopped in order with the block."""
    task = asyncio.create_task(_keep_booted(disk, made, folder, instance_id))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _keep_booted(disk: Path, made: Network, folder: Path, instance_id: str) -> None:
    code = 0
    # QEMU ends with 0 at each reboot, so that the kernel is read anew.
    while code == 0:
        qemu = await asyncio.create_subprocess_exec(
            "nsenter", f"--net={made.vpc_path}", *_command(disk, _read_kernel(disk), instance_id),
            stdin=subprocess.DEVNULL, stdout=sys.stderr, cwd=folder,
        )  # fmt: skip
        (folder / PID_FILE).write_text(str(qemu.pid))
        try:
            code = await qemu.wait()
        finally:
            await _stop(qemu, folder / _MONITOR)


def _read_kernel(disk: Path) -> Path:
    """Copy the newest kernel from the disk, as a boot loader reads it: an update may have installed another one."""
    kernel = disk.with_name("vmlinuz")
    listed = _read_disk(disk, "ls -p /boot").splitlines()
    names = (line.split("/")[5] for line in listed if line.count("/") >= 6)
    newest = max((name for name in names if name.startswith("vmlinuz-")), key=_version)
    _read_disk(disk, f"dump /boot/{newest} {kernel}")
    return kernel


def _version(name: str) -> list[int]:
    return [int(part) for part in name.replace("-", ".").split(".") if part.isdecimal()]


def _read_disk(disk: Path, request: str) -> str:
    return subprocess.run(["debugfs", "-R", request, str(disk)], check=True, capture_output=True, text=True).stdout


def _command(disk: Path, kernel: Path, instance_id: str) -> tuple[str, ...]:
    uuid = instance_uuid(instance_id)
    return (
        PROGRAM, "-nodefaults", "-display", "none", "-no-reboot", "-smp", "2", "-m", _MEMORY,
        *(("-accel", "tcg,thread=multi", "-cpu", "max") if is_emulated() else ("-accel", "kvm", "-cpu", "host")),
        "-kernel", str(kernel), "-append", _KERNEL_OPTIONS,
        "-smbios", f"type=1,manufacturer=Amazon EC2,product=t3.xlarge,uuid={uuid},serial={uuid}",
        "-drive", f"file={disk},format=raw,if=none,id=disk,cache=unsafe", "-device", "nvme,drive=disk,serial=vol0",
        "-netdev", "tap,id=net,ifname=eth0,script=no,downscript=no", "-device", f"virtio-net-pci,netdev=net,mac={MAC},romfile=",
        "-chardev", "file,id=console,path=console.log,append=on", "-serial", "chardev:console",
        "-chardev", f"socket,id=agent,path={AGENT_SOCKET},server=on,wait=off",
        "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
        "-chardev", f"socket,id=monitor,path={_MONITOR},server=on,wait=off", "-mon", "chardev=monitor",
        "-device", "virtio-rng-pci",
    )  # fmt: skip


def instance_uuid(instance_id: str) -> str:
    """Return the UUID of a machine, which begins with ec2 as those of EC2 do."""
    digits = f"ec2{instance_id.removeprefix('i-')}".ljust(32, "0")[:32]
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


async def _stop(qemu: asyncio.subprocess.Process, monitor: Path) -> None:
    """Press the machine's power button, as EC2 does; and end it where it does not stop."""
    if qemu.returncode is not None:
        return
    try:
        _, button = await asyncio.open_unix_connection(str(monitor))
        button.write(b"system_powerdown\n")
        await button.drain()
        await asyncio.wait_for(qemu.wait(), _STOP_WITHIN)
        button.close()
    except (OSError, TimeoutError):
        qemu.kill()
        await qemu.wait()

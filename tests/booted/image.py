"""The image that a machine boots from: Debian packages, a Python 3.12, and what makes it look like an EC2 instance.

It is built once and kept by the hash of its recipe, outside the repository: `$XDG_CACHE_HOME/sre-agent/instance-images`.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from sre_agent_deploy.instance.interpreter import LOCK
from sre_agent_deploy.instance.release_archive import REQUIREMENTS

LOCKS = (REQUIREMENTS, LOCK)
SUITE = "bookworm"
# The image is built from Debian as it was released, so that a machine has security updates to install.
RELEASED = f"deb http://deb.debian.org/debian {SUITE} main\n"
SECURITY = f"deb http://deb.debian.org/debian-security {SUITE}-security main\n"
PACKAGES = (
    "awscli", "ca-certificates", "cloud-init", "dbus", "iproute2", "libffi8", "libreadline8", "libsqlite3-0", "libssl3", "netbase",
    "logrotate", "nginx-light", "procps", "python3", "sudo", "systemd", "systemd-sysv", "udev", "unattended-upgrades",
)  # fmt: skip
# What a virtual machine has besides: a kernel, and the agent by which its owner runs commands in it.
PACKAGES_OF_VM = ("linux-image-cloud-amd64", "qemu-guest-agent", "e2fsprogs")
OS_RELEASE = 'NAME="Amazon Linux"\nVERSION="2023"\nID="amzn"\nID_LIKE="fedora"\nVERSION_ID="2023"\nPRETTY_NAME="Test image on Debian 12"\n'
# The data source that EC2 has, and no network configuration: the machine's address is known.
CLOUD_INIT = """datasource_list: [Ec2]
datasource: {Ec2: {strict_id: false, max_wait: 20, timeout: 5}}
network: {config: disabled}
"""
# What Amazon Linux would install, the image has; the log says what was asked for.
DNF = '#!/bin/sh\necho "dnf $*" >> /var/log/dnf.log\n'
# Debian's AWS CLI is too old for AWS_ENDPOINT_URL.
AWS_CLI = '#!/bin/sh\nexec /usr/bin/aws --endpoint-url "$AWS_ENDPOINT_URL" --ca-bundle /etc/ssl/certs/ca-certificates.crt "$@"\n'
MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer")
# The network of a container is there before it boots.
MASKED_IN_CONTAINER = "systemd-networkd-wait-online.service"


def cache_folder() -> Path:
    """Return the folder of everything that is kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sre-agent" / "instance-images"


def find_or_build(*, vm: bool = False) -> Path:
    """Return the image of this recipe, for a container or a virtual machine; build it where it is not kept yet."""
    image = cache_folder() / f"{SUITE}-{'vm-' if vm else ''}{_recipe()}"
    if not image.is_dir():
        cache_folder().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="building-") as folder:
            root = Path(folder) / "root"
            _install_packages(root, PACKAGES + PACKAGES_OF_VM if vm else PACKAGES)
            install_python(root)
            _configure(root)
            if not vm:
                _adapt_to_container(root)
            root.rename(image)
    return image


def find_or_download_wheels() -> Path:
    """Return a folder with uv and the locked libraries of a machine; download them where they are not kept yet."""
    wheels = cache_folder() / f"wheels-{hashlib.sha256(b''.join(lock.read_bytes() for lock in LOCKS)).hexdigest()[:16]}"
    if not wheels.is_dir():
        cache_folder().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="building-") as folder:
            into = ("--require-hashes", "--only-binary", ":all:", "--quiet", "-d", f"{folder}/wheels")
            _run(_base_python(), "-m", "pip", "download", *into, *(word for lock in LOCKS for word in ("-r", str(lock))))
            Path(folder, "wheels").rename(wheels)
    return wheels


def _recipe() -> str:
    """Hash what decides the content of the image: this file, and the Python that is copied into it."""
    text = inspect.getsource(sys.modules[__name__]) + sys.version + sys.base_prefix
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _install_packages(root: Path, packages: tuple[str, ...]) -> None:
    options = ("--variant=minbase", "--dpkgopt=force-unsafe-io", f"--include={','.join(packages)}")
    _run("mmdebstrap", *options, SUITE, str(root), RELEASED)


def install_python(root: Path) -> None:
    """Copy the Python of this computer: Debian 12 has no 3.12, which Amazon Linux has."""
    prefix, local = Path(sys.base_prefix).resolve(), root / "usr/local"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for shared in (*(prefix / "lib").glob(f"libpython{version}.so*"), *(prefix / "lib").glob("libpython3.so")):
        shutil.copy2(shared, local / "lib", follow_symlinks=False)
    shutil.copy2(prefix / "bin" / f"python{version}", local / "bin")
    without = shutil.ignore_patterns("test", "site-packages", "__pycache__", "config-*")
    library = local / "lib" / f"python{version}"
    shutil.copytree(prefix / "lib" / library.name, library, symlinks=True, ignore=without, dirs_exist_ok=True)
    (library / "site-packages").mkdir(exist_ok=True)
    _run("chroot", str(root), "ldconfig")
    _run("chroot", str(root), f"python{version}", "-c", "import ssl, sqlite3, ctypes, zlib, venv, ensurepip")


def _configure(root: Path) -> None:
    (root / "usr/lib/os-release").write_text(OS_RELEASE)
    for name, text in {"usr/bin/dnf": DNF, "usr/local/bin/aws": AWS_CLI}.items():
        (root / name).write_text(text)
        (root / name).chmod(0o755)
    (root / "etc/cloud/cloud.cfg.d/99-ec2.cfg").write_text(CLOUD_INIT)
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    (root / "etc/machine-id").write_text("")
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/resolv.conf").write_text("")
    for unit in MASKED:
        (root / "etc/systemd/system" / unit).symlink_to("/dev/null")


def _adapt_to_container(root: Path) -> None:
    """Let cloud-init recognise EC2 without DMI, which a container has not: it would not use IMDSv2."""
    (root / "etc/systemd/system" / MASKED_IN_CONTAINER).symlink_to("/dev/null")
    source = root / "usr/lib/python3/dist-packages/cloudinit/sources/DataSourceEc2.py"
    text, first = source.read_text(), "def identify_aws(data):\n"
    if first not in text:
        raise RuntimeError(f"{source} has no {first.strip()} any more")
    source.write_text(text.replace(first, f"{first}    return CloudNames.AWS\n"))


def _base_python() -> str:
    return str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")


def _run(*command: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"`{' '.join(command[:4])}` ended with exit code {done.returncode}:\n{done.stdout[-3000:]}")

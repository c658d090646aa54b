"""Prepare a new machine for the bootstrap: Python 3.12, the AWS CLI, and the verified release.

It is part of the user data and runs on the image's own Python (3.9 and later), with the standard library only.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

MACHINE_FILE = "/etc/sre-agent/machine.json"
# cloud-init writes the EC2 instance's id there before it runs user data.
INSTANCE_ID_FILE = Path("/var/lib/cloud/data/instance-id")

# Keyed by the ID of /etc/os-release. Ubuntu 22.04 packages neither Python 3.12 nor version 2 of the AWS CLI.
PACKAGES = {
    "amzn": (("dnf", "install", "-y", "-q", "python3.12", "nginx", "awscli-2", "docker"),),
    "ubuntu": (
        ("apt-get", "update", "-q"),
        ("apt-get", "install", "-y", "-q", "nginx", "python3-venv", "docker.io", "docker-compose-v2"),
        ("snap", "install", "aws-cli", "--classic"),
        ("python3", "-m", "venv", "/opt/sre-agent/uv"),
        ("/opt/sre-agent/uv/bin/pip", "install", "-q", "uv"),
        ("/opt/sre-agent/uv/bin/uv", "python", "install", "-q", "--install-dir", "/opt/sre-agent/python", "3.12"),
    ),
}


class Failed(Exception):
    """A failed preparation: what happened, and the end of the output."""

    def __init__(self, what: str, output: str = "") -> None:
        super().__init__(what)
        self.output = output


def run(*command: str) -> str:
    """Run a program and return its output; raise Failed with the output where it fails."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "PATH": os.environ.get("PATH", os.defpath) + ":/snap/bin"}
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, env=environment)  # noqa: S603  # our own words
    except OSError as absent:
        raise Failed(f"`{command[0]}` could not be started: {absent.strerror}.") from absent
    output = done.stdout.decode("utf-8", "replace")
    if done.returncode:
        raise Failed(f"`{' '.join(command[:4])}` ended with exit code {done.returncode}.", output)
    return output


def run_with_retries(*command: str, waits: tuple[int, ...] = (5, 15, 30)) -> str:
    """Run a program, and again after a while if it fails: package mirrors and new permissions may need a minute."""
    for seconds in waits:
        try:
            return run(*command)
        except Failed:
            time.sleep(seconds)
    return run(*command)


def write_report(machine: dict[str, Any], root: Path, state: str, what: str = "", output: str = "") -> None:
    """Write the status object of the step `release`, which the bootstrap finishes."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    file = root / "release.status.json"
    file.write_text(json.dumps({"step": "release", "state": state, "time": now, "what": what, "output": output[-4000:]}))
    run("aws", "--region", machine["region"], "s3", "cp", "--only-show-errors", str(file), machine["status"]["uri"] + "release.json")


def fetch_release(machine: dict[str, Any], root: Path) -> Path:
    """Download the release, verify its hash, and unpack it into a folder of that name."""
    uri: str = machine["release"]["uri"]
    wanted: str = machine["release"]["sha256"]
    archive, folder = root / f"{wanted}.zip", root / "releases" / wanted
    run_with_retries("aws", "--region", machine["region"], "s3", "cp", "--only-show-errors", uri, str(archive))
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != wanted:
        raise Failed(f"The release {uri} has SHA-256 {found}, but machine.json asks for {wanted}.")
    with zipfile.ZipFile(archive) as release:
        release.extractall(folder)
    return folder


def find_python(root: Path) -> str:
    """Find the Python 3.12 that runs the release."""
    installed = sorted(root.glob("python/cpython-3.12*/bin/python3.12"))
    found = str(installed[-1]) if installed else shutil.which("python3.12")
    if not found:
        raise Failed("Python 3.12 was not installed.")
    return found


def install_packages(os_release: Path) -> None:
    """Install what the image lacks."""
    lines = (line.strip().partition("=") for line in os_release.read_text().splitlines())
    system = {key: value.strip('"') for key, _, value in lines}.get("ID", "")
    if system not in PACKAGES:
        raise Failed(f"The image runs {system or 'an unknown system'}; Amazon Linux 2023 and Ubuntu 22.04 are supported.")
    for command in PACKAGES[system]:
        run_with_retries(*command)


def main(
    machine_file: str = MACHINE_FILE,
    root: Path = Path("/opt/sre-agent"),
    os_release: Path = Path("/etc/os-release"),
    instance_id_file: Path = INSTANCE_ID_FILE,
) -> int:
    """Prepare the machine, then run the bootstrap of the release."""
    machine, instance_id = json.loads(Path(machine_file).read_text()), instance_id_file.read_text().strip()
    # An update has two machines, and each must be judged by its own reports.
    machine["status"]["uri"] += f"{instance_id}/"
    root.mkdir(parents=True, exist_ok=True)
    try:
        install_packages(os_release)
        write_report(machine, root, "running")
        folder, interpreter = fetch_release(machine, root), find_python(root)
    except (Failed, OSError, zipfile.BadZipFile) as failed:
        output = getattr(failed, "output", "")
        print(failed, output, file=sys.stderr, sep="\n")
        write_report(machine, root, "failed", str(failed), output)
        return 1
    bootstrap = [interpreter, "-m", "sre_agent_deploy.instance.bootstrap", machine_file, str(folder), instance_id]
    return subprocess.run(bootstrap, check=False, env={**os.environ, "PYTHONPATH": str(folder)}).returncode  # noqa: S603  # our own words


if __name__ == "__main__":
    sys.exit(main())

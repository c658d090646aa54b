"""Prepare a new machine for the bootstrap: what the image lacks, the verified release, and the Python that runs it.

It is part of the user data and runs on the image's own Python (3.9 and later), with the standard library only.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
import zipfile
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

MACHINE_FILE = "/etc/sre-agent/machine.json"
# cloud-init writes the EC2 instance's id there before it runs user data.
INSTANCE_ID_FILE = Path("/var/lib/cloud/data/instance-id")

# Ubuntu runs its own upgrades after the first boot, and these hold the lock for minutes.
APT = ("apt-get", "-q", "-o", "DPkg::Lock::Timeout=300")
# Keyed by the ID of /etc/os-release. Ubuntu packages no AWS CLI 2.
PACKAGES = {
    "amzn": (("dnf", "install", "-y", "-q", "python3.12", "nginx", "logrotate", "awscli-2", "git"),),
    "ubuntu": (
        (*APT, "update"),
        (*APT, "install", "-y", "nginx", "logrotate"),
        ("snap", "install", "aws-cli", "--classic"),
    ),
}
# Seconds that a program may take, and a call of AWS.
LONGEST, LONGEST_CALL = 600, 180
# And the bootstrap: `timeout` ends it with 124.
DEADLINE = ("timeout", "3600")
# The waits before S3 is asked again: it may refuse a new instance profile for some minutes.
S3_WAITS = (2, 5, 10, 20, 30, 60, 60, 60)
# What is not in S3 will not appear. S3 says so only to an identity that may list the bucket; to others it says 403, as for a new profile.
ABSENT = ("error occurred (404)", "error occurred (NoSuchBucket)")


class Failed(Exception):
    """A failed preparation: what happened, and the end of the output."""

    def __init__(self, what: str, output: str = "") -> None:
        super().__init__(what)
        self.output = output


def run(*command: str, longest: float = LONGEST) -> str:
    """Run a program and return its output; raise Failed with the output where it fails or takes too long."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "PATH": os.environ.get("PATH", os.defpath) + ":/snap/bin"}
    name, both = " ".join(command[:4]), {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    try:
        done = subprocess.run(command, **both, stdin=subprocess.DEVNULL, check=False, env=environment, timeout=longest)  # type: ignore[call-overload]  # noqa: S603
    except OSError as absent:
        raise Failed(f"`{command[0]}` could not be started: {absent.strerror}.") from absent
    except subprocess.TimeoutExpired as late:
        raise Failed(f"`{name}` did not end within {longest:.0f} s.", (late.stdout or b"").decode("utf-8", "replace")) from late
    output: str = done.stdout.decode("utf-8", "replace")
    if done.returncode:
        raise Failed(f"`{name}` ended with exit code {done.returncode}.", output)
    return output


def run_with_retries(*command: str, waits: tuple[int, ...] = (5, 15, 30), longest: float = LONGEST) -> str:
    """Run a program, and again after a while if it fails: package mirrors and new permissions may need a minute."""
    for seconds in waits:
        try:
            return run(*command, longest=longest)
        except Failed as failed:
            if any(each in failed.output for each in ABSENT):
                raise
            time.sleep(seconds)
    return run(*command, longest=longest)


def write_report(machine: dict[str, Any], root: Path, status: dict[str, Any]) -> None:
    """Write the status object of a step. If S3 refuses to the end, the console keeps what happened, and the boot goes on."""
    file, uri = root / "status.json", f"{machine['status']['uri']}{status['step']}.json"
    file.write_text(json.dumps({**status, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}))
    copy = ("aws", "--region", machine["region"], "s3", "cp", "--only-show-errors", str(file), uri)
    try:
        run_with_retries(*copy, waits=S3_WAITS, longest=LONGEST_CALL)
    except Failed as refused:
        print(f"No report could be written: {refused}", refused.output, file=sys.stderr, sep="\n")


def fetch_release(machine: dict[str, Any], root: Path) -> Path:
    """Download the release, verify its hash, and unpack it into a folder of that name."""
    uri: str = machine["release"]["uri"]
    wanted: str = machine["release"]["sha256"]
    archive, folder = root / f"{wanted}.zip", root / "releases" / wanted
    run_with_retries("aws", "--region", machine["region"], "s3", "cp", "--only-show-errors", uri, str(archive), waits=S3_WAITS)
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != wanted:
        raise Failed(f"The release {uri} has SHA-256 {found}, but machine.json asks for {wanted}.")
    with zipfile.ZipFile(archive) as release:
        release.extractall(folder)
    archive.unlink()
    return folder


def run_bootstrap(command: list[str], folder: Path) -> tuple[int, list[str]]:
    """Run the bootstrap with its output on the console; return its exit code and its last lines."""
    last: deque[str] = deque(maxlen=40)
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    with subprocess.Popen((*DEADLINE, *command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment) as bootstrap:  # noqa: S603
        assert bootstrap.stdout is not None
        for line in bootstrap.stdout:
            last.append(line.decode("utf-8", "replace").rstrip())
            print(last[-1], file=sys.stderr, flush=True)
    return bootstrap.returncode, list(last)


def find_reports(lines: list[str]) -> list[dict[str, Any]]:
    """Find the last report of each step of the bootstrap; it prints each as a line of JSON."""
    reports = [json.loads(line) for line in lines if line.startswith('{"step": ')]
    return list({each["step"]: each for each in reports}.values()) or [{"step": "release", "state": "running"}]


def find_python(folder: Path, root: Path) -> str:
    """Let the release find or install the Python 3.12 that runs it."""
    program = folder / "sre_agent_deploy" / "instance" / "interpreter.py"
    return run(sys.executable, str(program), str(folder), str(root)).split()[-1]


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
        with ThreadPoolExecutor(1) as beside:
            beside.submit(write_report, machine, root, {"step": "release", "state": "running"})
            folder = fetch_release(machine, root)
            interpreter = find_python(folder, root)
    except Exception as failed:
        # A fault of ours is reported too: the deployer would wait in vain.
        output = getattr(failed, "output", "")
        print(failed, output, file=sys.stderr, sep="\n")
        what = str(failed) or repr(failed)
        write_report(machine, root, {"step": "release", "state": "failed", "what": what, "output": output[-4000:]})
        if isinstance(failed, (Failed, OSError, zipfile.BadZipFile)):
            return 1
        raise
    code, last = run_bootstrap([interpreter, "-m", "sre_agent_deploy.instance.bootstrap", machine_file, str(folder), instance_id], folder)
    reports = find_reports(last)
    if code and reports[-1]["state"] != "failed":
        late = f", after {DEADLINE[1]} s" if code == 124 else ""
        ended = {"state": "failed", "what": f"The bootstrap ended with exit code {code}{late}.", "output": "\n".join(last)[-4000:]}
        reports[-1] = {"step": reports[-1]["step"], **ended}
    for status in reports:
        if not status.pop("reported", False):
            write_report(machine, root, status)
    return code


if __name__ == "__main__":
    sys.exit(main())

"""A machine that has booted, as its owner meets it: commands in it, and its front door."""

from __future__ import annotations

import hashlib
import http.client
import socket
import ssl
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from behaviours.command_line import Desk
from booted import guest, vm
from booted.driver import NAMES_FILE, PID_FILE
from sre_core import release


@dataclass(frozen=True)
class BootedMachine:
    """One machine of `booted.driver`, by the folder of its instance."""

    folder: Path

    @property
    def instance_id(self) -> str:
        return self.folder.name

    def run(self, *command: str, longest: float = 120) -> str:
        """Run a command in the machine as root and return its output. Raises OSError or CalledProcessError while there is no machine."""
        agent = self.folder / guest.AGENT_SOCKET
        done = guest.run(agent, command, longest) if agent.exists() else self._run_in_container(command, longest)
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
        return done.stdout

    def write(self, path: str, text: str) -> None:
        """Write a file of the machine, which keeps its owner and mode."""
        self.run("sh", "-c", 'printf %s "$1" > "$2"', "sh", text, path)

    def change_unit(self, unit: str, text: str) -> None:
        """Let these lines hold for a unit until the next boot."""
        folder = f"/run/systemd/system/{unit}.d"
        self.run("mkdir", "-p", folder)
        self.write(f"{folder}/test.conf", text)
        self.run("systemctl", "daemon-reload")
        self.run("systemctl", "restart", unit)

    def list_names(self) -> set[str]:
        """List the names for whose addresses it has asked since its first boot: it finds none of them."""
        file = self.folder / NAMES_FILE
        return set(file.read_text().split()) if file.exists() else set()

    def boot_id(self) -> str:
        """Return the id of this boot; another one after each start."""
        return self.run("cat", "/proc/sys/kernel/random/boot_id").strip()

    def bootstrap_seconds(self) -> float:
        """Return how long cloud-init's last stage took, which runs the user data's commands."""
        names = ("ExecMainStartTimestampMonotonic", "ExecMainExitTimestampMonotonic")
        start, end = (int(self.run("systemctl", "show", f"--property={name}", "--value", "cloud-final.service")) for name in names)
        return (end - start) / 1e6

    def cpu_seconds(self, *units: str) -> float:
        """Return what units have taken of the processors since each was started, which a busy computer changes least."""
        used = (self.run("systemctl", "show", "--property=CPUUsageNSec", "--value", unit) for unit in units)
        return sum(map(int, used)) / 1e9

    def main_pid(self, unit: str) -> int:
        return int(self.run("systemctl", "show", "--property=MainPID", "--value", unit))

    def list_units(self) -> tuple[str, ...]:
        """List the services of the deployment that run."""
        lines = self.run("systemctl", "list-units", "--plain", "--no-legend", "--state=running", "sre-agent-*.service").splitlines()
        return tuple(line.split()[0] for line in lines)

    def read_exposure(self, unit: str) -> float:
        """Return systemd's rating of what a service could do if it were taken over: 0 to 10."""
        judged = self.run("systemd-analyze", "security", "--no-pager", unit)
        return float(judged.rpartition("Overall exposure level for ")[2].split()[1])

    def reaches_metadata(self, unit: str) -> bool:
        """Say if a process in the control group of a service can connect to the metadata service."""
        group = self.run("systemctl", "show", "--property=ControlGroup", "--value", unit).strip()
        connect = "import socket; socket.create_connection(('169.254.169.254', 80), 3)"
        script = f'echo $$ > "/sys/fs/cgroup{group}/cgroup.procs" && exec python3.12 -c "{connect}"'
        try:
            self.run("sh", "-c", script)
        except subprocess.CalledProcessError as refused:
            if "OSError" in refused.stderr or "TimeoutError" in refused.stderr or "PermissionError" in refused.stderr:
                return False
            raise
        return True

    def has(self, path: str) -> bool:
        """Say if a file is there; not while there is no machine."""
        try:
            self.run("test", "-e", path)
        except (OSError, subprocess.CalledProcessError):
            return False
        return True

    def _run_in_container(self, command: tuple[str, ...], longest: float) -> subprocess.CompletedProcess[str]:
        enter = ("nsenter", "--target", self._first_process(), "--mount", "--uts", "--ipc", "--net", "--pid", "--")
        return subprocess.run((*enter, *command), capture_output=True, text=True, timeout=longest, check=False, stdin=subprocess.DEVNULL)

    def _first_process(self) -> str:
        pid = (self.folder / PID_FILE).read_text()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if not children:
            raise FileNotFoundError(f"{self.instance_id} has no first process")
        return children[0]


def find_machines(desk: Desk) -> dict[str, BootedMachine]:
    """Find the machines that run, by the ids of their instances."""
    found = (pid.parent for name in (PID_FILE, vm.PID_FILE) for pid in desk.state_dir.glob(f"start-*/instances/*/{name}"))
    return {folder.name: BootedMachine(folder) for folder in found}


@dataclass(frozen=True)
class Door:
    """The front door, as a client finds it by the domain's record."""

    find_address: Callable[[], tuple[str, int]]
    host: str
    trust: ssl.SSLContext

    def status(self, path: str) -> int:
        """Return the HTTP status of a path; 0 where there is no answer."""
        try:
            with self._connect() as tls:
                tls.sendall(f"GET {path} HTTP/1.1\r\nHost: {self.host}\r\nConnection: close\r\n\r\n".encode())
                answer = http.client.HTTPResponse(tls)
                answer.begin()
                return answer.status
        except (OSError, http.client.HTTPException):
            return 0

    def fingerprint(self) -> str:
        """Return the SHA-256 of the certificate that is served; empty where none is."""
        try:
            with self._connect() as tls:
                return hashlib.sha256(tls.getpeercert(binary_form=True) or b"").hexdigest()
        except OSError:
            return ""

    def _connect(self) -> ssl.SSLSocket:
        return self.trust.wrap_socket(socket.create_connection(self.find_address(), timeout=10), server_hostname=self.host)


def open_door(desk: Desk, domain: str, ca_file: Path) -> Door:
    """Return the front door of the one deployment of a desk."""
    ec2 = desk.client("ec2")

    def find_address() -> tuple[str, int]:
        [address] = [each for each in ec2.describe_addresses()["Addresses"] if "InstanceId" in each]
        tags = {tag["Key"]: tag["Value"] for tag in address["Tags"]}
        return address["PublicIp"], int(tags["embedded-aws:port-443"])

    trust = ssl.create_default_context(cafile=str(ca_file))
    return Door(find_address, domain, trust)


def list_health_paths() -> dict[str, str]:
    """Return the path at which the front door publishes the health of each service."""
    return {service.name: service.route + service.health_path.lstrip("/") for service in release.services()}

"""Install Docker and Compose for the owners of a machine, once it serves. Nothing of a deployment runs in them, so a failure ends no boot.

Amazon Linux 2023 has no package of Compose (https://github.com/amazonlinux/amazon-linux-2023/issues/186); Docker's own packages for
RHEL 9 have one, which needs nothing of Docker's others. Only that package is taken from there, signed by the key that is named here.
"""

from __future__ import annotations

import http.client
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from sre_agent_deploy.instance.steps import BootReport, StepFailed, run
from sre_core import log
from sre_core.machine import Machine

REPORT = "software"
ENGINE, COMPOSE = "docker", "docker-compose"
# https://docs.docker.com/engine/install/rhel/#install-using-the-repository
PACKAGES = "https://download.docker.com/linux/rhel"
FINGERPRINT = "060A61C51B558A7F742B77AAC52FEB6B621E9F35"
REPOSITORY, KEY = Path("/etc/yum.repos.d/docker-compose.repo"), Path("/etc/pki/rpm-gpg/RPM-GPG-KEY-docker")
_APT = ("apt-get", "--quiet", "-o", "DPkg::Lock::Timeout=300", "install", "--yes")
_DNF = ("dnf", "--quiet", "--assumeyes")
_COMPOSE_ONLY = ("--repo=docker-compose", "--setopt=install_weak_deps=False")
UPGRADE = (*_DNF, *_COMPOSE_ONLY, "upgrade")
"""Upgrades Compose on Amazon Linux: Docker marks no update as one of security."""
_INSTALLED_WITHIN, _COMPOSE_WITHIN, _ANSWER_WITHIN = 300.0, 120.0, 20.0
_LARGEST_KEY = 100_000


def install_software(machine: Machine, progress: BootReport, os_release: Path = Path("/etc/os-release"), packages: str = PACKAGES) -> None:
    """Install what machine.json asks for and report its versions; what is absent is reported with its cause, and the boot goes on."""
    if not machine.software:
        return
    try:
        with progress.step(REPORT) as facts:
            for command in engine_commands(_is_ubuntu(os_release), machine.software):
                run(*command, longest=_INSTALLED_WITHIN)
            facts["what"] = f"Docker {run('docker', 'version', '--format', '{{.Server.Version}}').strip()}"
            if machine.software == COMPOSE:
                facts["what"] = f"{facts['what']}, Compose {_add_compose(packages, ubuntu=_is_ubuntu(os_release))}"
    except StepFailed as absent:
        log.get().warning("software.absent", because=absent.what)


def engine_commands(ubuntu: bool, software: str) -> tuple[tuple[str, ...], ...]:
    """List the commands that install and start Docker (pure). Ubuntu's package starts it, and has Compose beside it."""
    if ubuntu:
        return ((*_APT, "docker.io", *(("docker-compose-v2",) if software == COMPOSE else ())),)
    return ((*_DNF, "install", "docker"), ("systemctl", "enable", "--now", "docker"))


def _add_compose(packages: str, *, ubuntu: bool) -> str:
    """Install Compose where the system has no package of it; return its version."""
    try:
        if not ubuntu:
            trust_repository(url=packages)
            run(*_DNF, *_COMPOSE_ONLY, "install", "docker-compose-plugin", longest=_COMPOSE_WITHIN)
        return run("docker", "compose", "version", "--short").strip()
    except StepFailed as failed:
        last = failed.output.strip().rpartition("\n")[2]
        raise StepFailed(f"Docker is installed, Compose is not: {failed.what} {last}".strip(), failed.output) from failed


def trust_repository(key: Path = KEY, repository: Path = REPOSITORY, url: str = PACKAGES, fingerprint: str = FINGERPRINT) -> None:
    """Download the key of Docker's packages and name their repository; StepFailed, and neither is there, if it is another key."""
    with tempfile.TemporaryDirectory() as folder:
        downloaded = Path(folder, "key")
        downloaded.write_bytes(_read(f"{url}/gpg"))
        listed = run("gpg", "--batch", "--no-options", "--homedir", folder, "--with-colons", "--show-keys", str(downloaded))
        found = sorted(primary_fingerprints(listed))
        if found != [fingerprint]:
            raise StepFailed(f"The key at {url}/gpg is not Docker's {fingerprint}.", "\n".join(found) or "It has no key.")
        key.parent.mkdir(parents=True, exist_ok=True)
        key.write_bytes(downloaded.read_bytes())
    repository.write_text(render_repository(key, url), encoding="utf-8")


def _read(url: str) -> bytes:
    """Read a small file. StepFailed says why it could not be read."""
    try:
        with urllib.request.urlopen(url, timeout=_ANSWER_WITHIN) as answer:  # noqa: S310  # Docker's, or the address that a test names
            return bytes(answer.read(_LARGEST_KEY))
    except (OSError, http.client.HTTPException) as absent:
        raise StepFailed(f"{url} could not be read: {getattr(absent, 'reason', absent)}.") from absent


def primary_fingerprints(listed: str) -> Iterator[str]:
    """Yield the fingerprint of each key that `gpg --with-colons` lists, without those of subkeys (pure)."""
    kind = ""
    for record in (line.split(":") for line in listed.splitlines()):
        if record[0] == "fpr" and kind == "pub":
            yield record[9]
        kind = record[0] if record[0] in ("pub", "sub") else kind


def render_repository(key: Path, url: str = PACKAGES) -> str:
    """Render the file of the repository (pure). It is off: only commands that name it ask Docker, and get no other package."""
    return f"""[docker-compose]
name=Compose, from the packages of Docker for RHEL 9
baseurl={url}/9/$basearch/stable
enabled=0
gpgcheck=1
gpgkey=file://{key}
includepkgs=docker-compose-plugin
skip_if_unavailable=1
timeout=20
"""


def upgrade_commands(repository: Path = REPOSITORY) -> tuple[tuple[str, ...], ...]:
    """List the commands that upgrade what no security update of the system does: Compose, where it is from Docker."""
    return (UPGRADE,) if repository.exists() else ()


def _is_ubuntu(os_release: Path) -> bool:
    return "ID=ubuntu" in os_release.read_text(encoding="utf-8").split()

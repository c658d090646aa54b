"""Docker and Compose for a machine's owners: from which packages, with whose key, and what happens without them."""

from __future__ import annotations

import dataclasses
import functools
import http.server
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sre_agent_deploy.instance.software import engine_commands, install_software, render_repository, trust_repository, upgrade_commands
from sre_agent_deploy.instance.steps import BootReport, StepFailed
from sre_core.machine import Machine

# The engine answers with its version, Compose with its own.
PROGRAMS = {
    "dnf": 'echo "dnf $*" >> "$CALLS"',
    "apt-get": 'echo "apt-get $*" >> "$CALLS"',
    "systemctl": 'echo "systemctl $*" >> "$CALLS"',
    "docker": 'case "$1" in version) echo 25.0.8;; *) echo 2.40.0;; esac',
}


class Kept:
    """Reports that are kept by their names."""

    def __init__(self) -> None:
        self.reports: dict[str, dict[str, str]] = {}

    def put_object(self, uri: str, body: str) -> None:
        self.reports[uri.rpartition("/")[2]] = json.loads(body)


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The commands that a machine without a way to Docker has run."""
    (tmp_path / "bin").mkdir()
    for name, text in PROGRAMS.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.defpath}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return tmp_path / "calls"


@pytest.mark.parametrize(
    ("system", "software", "state", "what", "ran"),
    [
        (
            "amzn", "docker-compose", "failed",
            "Docker is installed, Compose is not: http://127.0.0.1:1/gpg could not be read: "
            "[Errno 111] Connection refused.",
            ["dnf --quiet --assumeyes install docker", "systemctl enable --now docker"],
        ),
        ("amzn", "docker", "ok", "Docker 25.0.8", ["dnf --quiet --assumeyes install docker", "systemctl enable --now docker"]),
        (
            "ubuntu", "docker-compose", "ok", "Docker 25.0.8, Compose 2.40.0",
            ["apt-get --quiet -o DPkg::Lock::Timeout=300 install --yes docker.io docker-compose-v2"],
        ),
        ("ubuntu", "", "", "", []),
    ],
)  # fmt: skip
def test_what_a_machine_gets(
    tmp_path: Path, calls: Path, machine: Machine, system: str, software: str, state: str, what: str, ran: list[str]
) -> None:
    """It is reported with its versions, or with what is absent and why; a machine that serves goes on without it."""
    (tmp_path / "os-release").write_text(f"ID={system}\n")
    kept = Kept()
    progress = BootReport(kept, "s3://bucket/")
    # Nothing listens at that port.
    install_software(dataclasses.replace(machine, software=software), progress, tmp_path / "os-release", "http://127.0.0.1:1")
    report = kept.reports.get("software.json", {})
    assert (report.get("state", ""), report.get("what", "")) == (state, what)
    assert (calls.read_text().splitlines() if calls.exists() else []) == ran


def test_the_engine_alone() -> None:
    """Ubuntu has Compose in a package of its own, which can be left out."""
    assert engine_commands(True, "docker")[0][-1] == "docker.io"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """A site with the key of a publisher, and with two keys; yields its address and the fingerprints."""
    folder = tmp_path_factory.mktemp("site")
    home = folder / "home"
    home.mkdir(mode=0o700)
    gpg = ("gpg", "--batch", "--no-options", "--homedir", str(home))
    for name in ("docker", "other"):
        subprocess.run([*gpg, "--passphrase", "", "--quick-generate-key", name, "ed25519"], check=True, capture_output=True)
    listed = subprocess.run([*gpg, "--with-colons", "--list-keys"], check=True, capture_output=True, text=True).stdout
    prints = [line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:")]
    for site, names in {"one": ("docker",), "two": ("docker", "other"), "none": ()}.items():
        (folder / site).mkdir()
        key = subprocess.run([*gpg, "--armor", "--export", *names], check=True, capture_output=True).stdout if names else b"no key"
        (folder / site / "gpg").write_bytes(key)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", dict(zip(("docker", "other"), prints, strict=True))
        server.shutdown()
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False, capture_output=True)


@pytest.mark.needs("gpg")
@pytest.mark.parametrize(
    ("site", "expected", "trusted"), [("one", "docker", True), ("one", "other", False), ("two", "docker", False), ("none", "docker", False)]
)
def test_whose_key_is_trusted(published: tuple[str, dict[str, str]], tmp_path: Path, site: str, expected: str, trusted: bool) -> None:
    """Only a file with the one expected key; with any other one, or with one more, there is neither key nor repository."""
    address, prints = published
    key, repository = tmp_path / "pki/key", tmp_path / "docker-compose.repo"
    try:
        trust_repository(key, repository, f"{address}/{site}", prints[expected])
    except StepFailed:
        assert not trusted
    assert (key.exists(), repository.exists(), bool(upgrade_commands(repository))) == (trusted, trusted, trusted)


def test_what_the_repository_gives() -> None:
    """Signed packages only, Compose only, and nothing for a command that does not name it."""
    lines = render_repository(Path("/etc/pki/rpm-gpg/RPM-GPG-KEY-docker")).splitlines()
    assert {"enabled=0", "gpgcheck=1", "includepkgs=docker-compose-plugin"} <= set(lines)
    assert "baseurl=https://download.docker.com/linux/rhel/9/$basearch/stable" in lines
    assert "gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-docker" in lines

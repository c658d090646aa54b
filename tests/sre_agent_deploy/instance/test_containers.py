"""Containers hold the release that an instance runs, and have no rights that they do not need."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from sre_agent_deploy.instance.release_archive import HTTPS_PORT, REDIRECT_PORT, build_archive, write_image
from sre_core import release

ROOT = Path(__file__).parents[3]
DOCKERFILE = ROOT / "containers/Dockerfile"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "containers/compose.yaml").read_text())["services"]


def test_the_release_in_an_image(tmp_path: Path) -> None:
    """An image holds every file of the release that a deployment uploads, its hash, and the routes of the front door."""
    write_image(tmp_path)
    archive = build_archive()
    assert (tmp_path / "release.sha256").read_text() == f"{archive.sha256}\n"
    with zipfile.ZipFile(io.BytesIO(archive.bytes)) as content:
        assert all((tmp_path / "release" / name).read_bytes() == content.read(name) for name in content.namelist())
    conf = (tmp_path / "nginx.conf").read_text()
    assert all(f"location {service.route} " in conf for service in release.services())
    assert "\nuser " not in conf


def test_the_build_has_every_file_of_the_release() -> None:
    """The Dockerfile copies each folder that the release is made of: without one, an image would hold another release."""
    copied = re.findall(r"^COPY src/(\S+) /src/\1$", DOCKERFILE.read_text(), re.MULTILINE)
    with zipfile.ZipFile(io.BytesIO(build_archive().bytes)) as content:
        left_out = [name for name in content.namelist() if not any(name == each or name.startswith(f"{each}/") for each in copied)]
    assert left_out == []


@pytest.mark.parametrize("service", release.services(), ids=lambda service: service.name)
def test_compose_runs_the_release(service: release.Service) -> None:
    """Each service has the command, the settings and the credentials of release.json, and no other credential."""
    here = SERVICES[service.name]
    assert tuple(here["command"]) == (*service.command, "--socket", f"/run/sre-agent/{service.name}/http.sock")
    assert set(here["environment"]) == set(service.environment)
    assert tuple(here["secrets"]) == service.credentials


@pytest.mark.parametrize("name", SERVICES)
def test_rights_of_a_container(name: str) -> None:
    """It is read-only, has a user without rights and no capability, and gains none."""
    container = SERVICES[name]
    assert container["read_only"] is True
    assert container["user"] == "10001:10001"
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "devices"} & set(container)
    assert set(SERVICES) == {"door", *(service.name for service in release.services())}


def test_only_the_front_door_is_reached() -> None:
    """443 and 80 lead to the front door's ports; no other container publishes one."""
    assert [name for name, container in SERVICES.items() if "ports" in container] == ["door"]
    assert SERVICES["door"]["ports"] == [f"443:{HTTPS_PORT}", f"80:{REDIRECT_PORT}"]


def test_the_dockerfile() -> None:
    """The base image has an exact version, nothing is fetched from an address, and each image ends as a user without rights."""
    text = DOCKERFILE.read_text()
    assert re.search(r"^ARG PYTHON=docker\.io/library/python:3\.12\.\d+-slim-bookworm$", text, re.MULTILINE)
    assert not re.search(r"^(ADD|VOLUME)\b|https?://|curl|wget|:latest", re.sub(r"^#.*$", "", text, flags=re.MULTILINE), re.MULTILINE)
    images = {stage.split()[-1]: body for stage, body in _stages(text)}
    assert images["door"].index("USER 10001:10001") < images["door"].index("ENTRYPOINT")
    assert images["service"].index("USER 10001:10001") < images["service"].index("ENTRYPOINT")
    assert "--require-hashes" in images["libraries"]


def _stages(text: str) -> list[tuple[str, str]]:
    parts = re.split(r"^FROM (.*)$", text, flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def test_hadolint() -> None:
    """The usual linter of Dockerfiles finds nothing."""
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if not hadolint:
        pytest.skip("hadolint is published for Linux on x86-64 only")
    ended = subprocess.run([hadolint, str(DOCKERFILE)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout

"""The release is the same bytes from the same files, and runs."""

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from sre_agent_deploy.instance.interpreter import BUILD, PYTHON
from sre_agent_deploy.instance.release_archive import REQUIREMENTS, build_archive, find_bundled
from sre_core import release

ROOT = Path(__file__).parents[3]


def names(archive: bytes) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(archive)).namelist()


def test_the_same_every_time(tmp_path: Path) -> None:
    """Another build, with other file times and caches around, is the same release."""
    first = build_archive()
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(ROOT / "src/sre_core")], check=True)
    assert build_archive() == first
    assert first.sha256 == hashlib.sha256(first.bytes).hexdigest()


def test_what_is_in_it() -> None:
    """The programs, their documents and the machine's bootstrap; no caches, tests, deployer or fake AWS."""
    found = names(build_archive().bytes)
    assert {name.partition("/")[0] for name in found} == {"sre_core", "sre_services", "sre_agent", "sre_agent_deploy"}
    ours = {name.removeprefix("sre_agent_deploy/").rpartition("/")[0] for name in found if "deploy/" in name}
    assert ours == {"", "aws", "backup", "instance", "resources", "tls"}
    assert not [name for name in found if re.search("deploy/(commands|cli|engine)/|s3_bucket|iam_role|backup/(keep|data)", name)]
    assert "sre_core/release.json" in found
    assert "sre_agent_deploy/instance/requirements.txt" in found
    assert {service.openapi for service in release.backends()} <= set(found)
    assert not [name for name in found if "__pycache__" in name or name.endswith(".pyc") or "/." in name]
    assert found == sorted(found)


def test_a_recording_of_ones_own(tmp_path: Path) -> None:
    """It travels as recording/, and makes another release."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "app.log").write_text("line")
    (tmp_path / ".DS_Store").write_text("x")
    recorded = build_archive(tmp_path)
    assert [name for name in names(recorded.bytes) if name.startswith("recording/")] == ["recording/logs/app.log"]
    assert recorded.sha256 != build_archive().sha256


def test_libraries_that_travel_along(tmp_path: Path) -> None:
    """A file counts by its hash alone, in the lock; what the lock does not know stays behind, and what is absent is named."""
    for name in ("one-1.0-py3-none-any.whl", "two-2.0-cp312-cp312-manylinux2014_x86_64.whl", "other-9.9-py3-none-any.whl"):
        (tmp_path / name).write_text(name)
    hashes = {file.name[:3]: hashlib.sha256(file.read_bytes()).hexdigest() for file in tmp_path.iterdir()}
    lock = tmp_path / "requirements.txt"
    lock.write_text(
        f"one==1.0 \\\n    --hash=sha256:{'0' * 64} \\\n    --hash=sha256:{hashes['one']}\n"
        f"two==2.0 ; sys_platform != 'emscripten' \\\n    --hash=sha256:{hashes['two']}\n"
        f"win==3.0 ; sys_platform == 'win32' \\\n    --hash=sha256:{'1' * 64}\n"
        f"absent==4.0 \\\n    --hash=sha256:{'2' * 64}\n"
    )
    found = find_bundled(tmp_path, locks=(lock,))
    assert ([file.name[:3] for file in found.files], found.missing) == (["one", "two"], ("absent==4.0",))
    packed = [name for name in names(build_archive(bundled=found.files).bytes) if name.startswith("wheels/")]
    assert packed == [f"wheels/{file.name}" for file in found.files]


def test_python_that_travels_along(tmp_path: Path) -> None:
    """For an image without Python 3.12 its archive is asked for, and is where uv looks for it."""
    (lock := tmp_path / "lock").touch()
    assert find_bundled(tmp_path, python=True, locks=(lock,)).missing == (f"Python {PYTHON}",)
    archive = tmp_path / f"cpython-{PYTHON}+{BUILD}-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz"
    archive.touch()
    found = find_bundled(tmp_path, python=True, locks=(lock,))
    assert (found.files, found.missing) == ((archive,), ())
    assert f"python/{BUILD}/{archive.name}" in names(build_archive(bundled=found.files).bytes)


def test_the_lock_names_what_a_machine_installs() -> None:
    """Every library of it but those of other systems, each with its hashes."""
    found = find_bundled(Path("/nowhere"), locks=(REQUIREMENTS,)).missing
    written = [line for line in REQUIREMENTS.read_text().splitlines() if "==" in line and not line.startswith(" ")]
    assert len(found) == len([line for line in written if "sys_platform == " not in line]) > 50


def test_the_bootstrap_imports_from_it(tmp_path: Path) -> None:
    """With the standard library alone, as on a machine that has nothing else yet."""
    zipfile.ZipFile(io.BytesIO(build_archive().bytes)).extractall(tmp_path)
    code = "import sre_agent_deploy.instance.bootstrap as b; print(b.__file__)"
    command = [sys.executable, "-S", "-c", code]
    done = subprocess.run(command, env={"PYTHONPATH": str(tmp_path), "PATH": os.defpath}, capture_output=True, text=True, check=False)
    assert done.stdout.startswith(str(tmp_path)), done.stderr


@pytest.fixture
def locked() -> dict[str, str]:
    return {package["name"]: package["version"] for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}


def test_the_requirements(locked: dict[str, str]) -> None:
    """Every library of a machine has the version of the lock file and a hash; the services' and the assistant's are all there."""
    text = (ROOT / "src/sre_agent_deploy/instance/requirements.txt").read_text()
    pinned = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))
    assert {name: locked[name] for name in pinned} == pinned
    assert all("--hash=sha256:" in block for block in re.split(r"\n(?=[a-z])", text))
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    # `agent` includes an extra of this project itself.
    asked = [each for extra in ("services", "agent", "models") for each in extras[extra] if not each.startswith("sre-agent[")]
    assert {re.split(r"[\[>=<]", each)[0].replace(".", "-") for each in asked} <= set(pinned)

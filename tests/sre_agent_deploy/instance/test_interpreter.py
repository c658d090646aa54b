"""A new machine gets its uv, its Python and its libraries, with the uv that the lock names."""

from __future__ import annotations

import ast
import hashlib
import json
import platform
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from sre_agent_deploy.account.account import describe_account
from sre_agent_deploy.config.load import load
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.instance import Layout, interpreter
from sre_agent_deploy.instance.bootstrap import install_commands
from sre_agent_deploy.instance.interpreter import BUILD, PYTHON, find_python, install_uv
from sre_agent_deploy.instance.steps import StepFailed, run
from sre_core.problem import Refused

EXAMPLE = Path(__file__).parents[3] / "examples" / "production.yaml"
UV = Path(sys.prefix, "bin", "uv")
WHEEL = f"uv-1.2.3-py3-none-manylinux_2_17_{platform.machine()}.manylinux2014_{platform.machine()}.whl"


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A lock that knows the wheel in `wheels/`, and beside it PyPI's description, by which the same file can be had."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / WHEEL, "w") as wheel:
        wheel.writestr("uv-1.2.3.data/scripts/uv", "#!/bin/sh\necho I am uv\n")
    lock = tmp_path / "installer.txt"
    lock.write_text(f"uv==1.2.3 \\\n    --hash=sha256:{'0' * 64} \\\n    --hash=sha256:{digest(wheels / WHEEL)}\n")
    index = {"urls": [{"filename": name, "url": (wheels / name).as_uri()} for name in ("uv-1.2.3.tar.gz", WHEEL)]}
    (tmp_path / "1.2.3.json").write_text(json.dumps(index))
    return lock


def index_beside(lock: Path) -> str:
    return lock.with_name("{version}.json").as_uri().replace("%7B", "{").replace("%7D", "}")


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize("bundled", [True, False], ids=["from the release", "from PyPI"])
def test_uv(lock: Path, bundled: bool) -> None:
    """It is installed as a program, from the release where that has it."""
    uv = lock.with_name("uv")
    if bundled:
        lock.with_name("1.2.3.json").unlink()
    install_uv(lock.with_name("wheels" if bundled else "nothing"), uv, lock, index_beside(lock))
    assert subprocess.run([uv], capture_output=True, text=True, check=True).stdout == "I am uv\n"


@pytest.mark.parametrize("bundled", [True, False], ids=["from the release", "from PyPI"])
def test_uv_that_is_another(lock: Path, bundled: bool) -> None:
    """A file that the lock does not know is not installed, from any source."""
    with zipfile.ZipFile(lock.parent / "wheels" / WHEEL, "a") as wheel:
        wheel.writestr("more", "")
    with pytest.raises(SystemExit, match="not in the lock"):
        install_uv(lock.with_name("wheels" if bundled else "nothing"), lock.with_name("uv"), lock, index_beside(lock))
    assert not lock.with_name("uv").exists()


def test_it_runs_on_old_pythons() -> None:
    """Ubuntu 22.04 has 3.10 and Amazon Linux 2023 begins with 3.9: its grammar is not newer, and it imports nothing of ours."""
    text = Path(interpreter.__file__).read_text()
    ast.parse(text, feature_version=(3, 9))
    assert "sre_" not in text


def test_the_python_of_the_image(tmp_path: Path) -> None:
    """Where there is a Python 3.12, uv installs none."""
    assert find_python(tmp_path, Path("/no/uv"), tmp_path) == shutil.which("python3.12")


def test_a_python_of_the_release_that_is_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """uv takes it from the release, without a network, and refuses it, because it knows the hash of this build."""
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("PATH", str(tmp_path))
    name = f"cpython-{PYTHON}+{BUILD}-{platform.machine()}-unknown-linux-gnu-install_only_stripped.tar.gz"
    archive = tmp_path / "python" / BUILD / name
    archive.parent.mkdir(parents=True)
    with tarfile.open(archive, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("python/bin/python3.12"))
    with pytest.raises(SystemExit, match=f"(?s)Python {PYTHON}.*[Hh]ash mismatch.*{digest(archive)}"):
        find_python(tmp_path, UV, tmp_path / "installed")
    assert not list(tmp_path.glob("installed/cpython*"))


@pytest.mark.parametrize(("system", "downloads"), [("ubuntu-22.04", 1), ("amazon-linux-2023", 0)])
def test_a_folder_that_lacks_them(tmp_path: Path, system: str, downloads: int) -> None:
    """It is refused before anything is made, with the command that fills it; Python is asked for where the image has none."""
    config = load(EXAMPLE, environ={"AWS_ACCOUNT_ID": "123456789012", "AWS_REGION": "us-east-1"}, mode="production")
    assert isinstance(config, Config)
    chosen = config.deployment.model_copy(update={"libraries": str(tmp_path), "operating_system": system})
    with pytest.raises(Refused) as refused:
        describe_account(config.model_copy(update={"deployment": chosen}))
    [problem] = refused.value.problems
    assert f"{tmp_path} lacks acme==" in problem.what
    assert str(interpreter.LOCK) in problem.do[0]
    assert [f"/{BUILD}/cpython-{PYTHON}%2B{BUILD}-" in step for step in problem.do].count(True) == downloads


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A release that brings one library along, as its lock knows it."""
    layout = Layout(tmp_path / "releases" / "abc", root=tmp_path)
    layout.wheels.mkdir(parents=True)
    with zipfile.ZipFile(layout.wheels / "one-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("one.py", "SAYS = 'one'\n")
        wheel.writestr("one-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: one\nVersion: 1.0\n")
        wheel.writestr("one-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("one-1.0.dist-info/RECORD", "one.py,,\n")
    lock = layout.release / "sre_agent_deploy" / "instance" / "requirements.txt"
    lock.parent.mkdir(parents=True)
    lock.write_text(f"one==1.0 --hash=sha256:{digest(layout.wheels / 'one-1.0-py3-none-any.whl')}\n")
    return layout


def install(layout: Layout) -> None:
    for command in install_commands(layout, bundled=True):
        run(*(str(UV) if word == str(interpreter.UV) else word for word in command))


def test_libraries_of_the_release(layout: Layout) -> None:
    """They are installed without an index, and compiled: a service can't write what it compiles."""
    install(layout)
    [compiled] = layout.venv.glob("lib/python3.12/site-packages/__pycache__/one.*.pyc")
    assert run(str(layout.python), "-c", "import one; print(one.SAYS)") == "one\n"
    assert compiled.exists()


@pytest.mark.parametrize("text", ["one==1.0\n", "one==1.0 --hash=sha256:" + "0" * 64 + "\n"], ids=["no hash", "another hash"])
def test_a_library_that_is_another(layout: Layout, text: str) -> None:
    """Nothing is installed that the lock does not know by its hash."""
    (layout.release / "sre_agent_deploy" / "instance" / "requirements.txt").write_text(text)
    with pytest.raises(StepFailed) as refused:
        install(layout)
    assert "hash" in refused.value.output.lower()
    assert not list(layout.venv.glob("lib/python3.12/site-packages/one*"))

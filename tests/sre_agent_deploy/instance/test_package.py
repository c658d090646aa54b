"""The assistant's package for AgentCore Runtime: what is in it runs on arm64."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fixtures.sample import THOROUGH
from sre_agent_deploy.account.account import describe_account
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.instance.release_archive import REQUIREMENTS, build_package, find_foreign_binaries
from sre_core.problem import Refused

PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux2014_aarch64")
ELF = b"\x7fELF\x02\x01\x01" + bytes(9)
AARCH64, X86_64 = 183, 62


def elf(machine: int) -> bytes:
    """The head of a shared library of this processor."""
    return ELF + (3).to_bytes(2, "little") + machine.to_bytes(2, "little") + bytes(44)


def test_binaries_of_another_processor(tmp_path: Path) -> None:
    """A library of this computer is refused before anything is uploaded, by name; those for arm64 and plain files are not."""
    (tmp_path / "core").mkdir()
    (tmp_path / "core/_fast.so").write_bytes(elf(AARCH64))
    (tmp_path / "core/plain.py").write_text("x = 1")
    assert find_foreign_binaries(tmp_path) == ()
    (tmp_path / "core/_slow.so").write_bytes(elf(X86_64))
    (tmp_path / "core/_mac.so").write_bytes(b"\xcf\xfa\xed\xfe" + bytes(40))
    assert find_foreign_binaries(tmp_path) == ("core/_mac.so", "core/_slow.so")
    config = Config.model_validate({"assistant": {"runtime": "agentcore", "libraries": str(tmp_path)}})
    with pytest.raises(Refused) as refused:
        describe_account(config)
    [problem] = refused.value.problems
    assert problem.code == "RUNTIME-LIBRARIES-NOT-ARM64"
    assert "core/_slow.so" in problem.why
    assert all(platform in problem.do[0] for platform in PLATFORMS)


@pytest.mark.network
@pytest.mark.skipif(not THOROUGH, reason="downloads the libraries for arm64: `make test-thorough` does it")
def test_the_real_package(tmp_path: Path) -> None:
    """The documented command fills the folder; its zip has wheels for arm64 or for all, no foreign binary, and the imports."""
    libraries = tmp_path / "libraries"
    # A virtual environment of uv has no pip; the Python that it was made from has one.
    python = str(Path(sys.base_prefix, "bin", "python3"))
    command = [python, "-m", "pip", "install", "--quiet", "--target", str(libraries), "--python-version", "3.12"]
    command += ["--only-binary=:all:", "-r", str(REQUIREMENTS)]
    command += [word for platform in PLATFORMS for word in ("--platform", platform)]
    subprocess.run(command, check=True, timeout=290)
    package = build_package(libraries)
    assert len(package.bytes) < 250_000_000
    with zipfile.ZipFile(io.BytesIO(package.bytes)) as content:
        names = content.namelist()
        tags = {tag for name in names if name.endswith(".dist-info/WHEEL") for tag in re.findall(rb"^Tag: (\S+)", content.read(name), re.M)}
        machines = {int.from_bytes(head[18:20], "little") for head in (content.read(name)[:20] for name in names) if head[:4] == ELF[:4]}
    assert machines == {AARCH64}
    assert {tag for tag in tags if not tag.endswith(b"-any") and b"aarch64" not in tag} == set()
    assert {"main.py", "sre_agent/serve.py", "sre_core/release.json"} <= set(names)
    assert {name.partition("/")[0] for name in names} >= {"httpx2", "mcp", "uvicorn", "starlette", "boto3", "joserfc", "pydantic_core"}

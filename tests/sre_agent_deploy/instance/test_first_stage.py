"""The user data's program, run by the AWS CLI against an S3 that answers."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sre_agent_deploy.instance.first_stage import main


@pytest.fixture
def fresh(tmp_path: Path, aws_cli: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which the packages install themselves at once, and whose Python 3.12 tells how it was called."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {
        "dnf": "exit 0",
        "aws": f'exec "{aws_cli}" "$@"',
        "python3.12": f'echo "$PYTHONPATH" "$@" > "{tmp_path}/bootstrap"',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.defpath}")
    (tmp_path / "os-release").write_text('NAME="Amazon Linux"\nID="amzn"\n')
    return tmp_path


@pytest.fixture
def boot(s3, fresh: Path) -> Callable[[str], int]:
    """Boot with a release of this hash in machine.json; the real one where none is given."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("sre_core/__init__.py", "")
    s3.put_object(Bucket="bucket", Key="release.zip", Body=out.getvalue())

    def run(sha256: str = "") -> int:
        file = fresh / "machine.json"
        release = {"uri": "s3://bucket/release.zip", "sha256": sha256 or hashlib.sha256(out.getvalue()).hexdigest()}
        file.write_text(json.dumps({"region": "us-east-1", "release": release, "status": {"uri": "s3://bucket/status/"}}))
        (fresh / "instance-id").write_text("i-0123456789abcdef0\n")
        return main(str(file), fresh / "root", fresh / "os-release", fresh / "instance-id")

    return run


def status(s3) -> dict[str, str]:
    return json.loads(s3.get_object(Bucket="bucket", Key="status/i-0123456789abcdef0/release.json")["Body"].read())


def test_a_release_that_is_what_it_should_be(s3, boot, fresh: Path) -> None:
    """It is unpacked under its hash and its bootstrap runs; the bootstrap will say how the step ends."""
    assert boot() == 0
    path, *arguments = (fresh / "bootstrap").read_text().split()
    assert (Path(path) / "sre_core/__init__.py").is_file()
    assert arguments == ["-m", "sre_agent_deploy.instance.bootstrap", str(fresh / "machine.json"), path, "i-0123456789abcdef0"]
    assert status(s3)["state"] == "running"


def test_a_release_that_is_another(s3, boot, fresh: Path) -> None:
    """Nothing of it is unpacked or run, and the report says both hashes."""
    assert boot("f" * 64) == 1
    assert status(s3)["state"] == "failed"
    assert "f" * 64 in status(s3)["what"]
    assert not (fresh / "bootstrap").exists()
    assert not (fresh / "root/releases").exists()


def test_an_image_that_is_not_supported(s3, boot, fresh: Path) -> None:
    """The report names the system of the image and those that can be used."""
    (fresh / "os-release").write_text("ID=arch\n")
    assert boot() == 1
    assert "arch; Amazon Linux 2023 and Ubuntu 22.04" in status(s3)["what"]

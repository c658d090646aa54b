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

from sre_agent_deploy.instance import first_stage
from sre_agent_deploy.instance.first_stage import main

# As the release does, it prints more than the path where something is noteworthy.
_INTERPRETER = """
import shutil, sys
print("a remark", file=sys.stderr, flush=True)
print(shutil.which("python3.12") or sys.exit("no PYTHON"))
"""


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
        archive.writestr("sre_agent_deploy/instance/interpreter.py", _INTERPRETER)
    s3.put_object(Bucket="bucket", Key="release.zip", Body=out.getvalue())

    def run(sha256: str = "") -> int:
        file = fresh / "machine.json"
        release = {"uri": "s3://bucket/release.zip", "sha256": sha256 or hashlib.sha256(out.getvalue()).hexdigest()}
        file.write_text(json.dumps({"region": "us-east-1", "release": release, "status": {"uri": "s3://bucket/status/"}}))
        (fresh / "instance-id").write_text("i-0123456789abcdef0\n")
        return main(str(file), fresh / "root", fresh / "os-release", fresh / "instance-id")

    return run


def status(s3, step: str = "release") -> dict[str, str]:
    return json.loads(s3.get_object(Bucket="bucket", Key=f"status/i-0123456789abcdef0/{step}.json")["Body"].read())


def test_a_release_that_is_what_it_should_be(s3, boot, fresh: Path) -> None:
    """It is unpacked under its hash and its bootstrap runs; the bootstrap will say how the step ends."""
    assert boot() == 0
    path, *arguments = (fresh / "bootstrap").read_text().split()
    assert (Path(path) / "sre_core/__init__.py").is_file()
    assert arguments == ["-m", "sre_agent_deploy.instance.bootstrap", str(fresh / "machine.json"), path, "i-0123456789abcdef0"]
    assert status(s3)["state"] == "running"
    assert not list((fresh / "root").glob("*.zip")), "the release takes its room twice"


def test_a_release_that_is_another(s3, boot, fresh: Path) -> None:
    """Nothing of it is unpacked or run, and the report says both hashes."""
    assert boot("f" * 64) == 1
    assert status(s3)["state"] == "failed"
    assert "f" * 64 in status(s3)["what"]
    assert not (fresh / "bootstrap").exists()
    assert not (fresh / "root/releases").exists()


def test_a_release_that_is_absent(s3, boot, fresh: Path) -> None:
    """S3 is asked for it once: what is not there will not appear, and a wait of minutes would only hide that."""
    s3.delete_object(Bucket="bucket", Key="release.zip")
    aws = fresh / "bin/aws"
    aws.write_text(aws.read_text().replace("exec", f'echo "$@" >> "{fresh}/calls"\nexec'))
    assert boot() == 1
    assert "(404)" in status(s3)["output"]
    assert (fresh / "calls").read_text().count(" s3://bucket/release.zip ") == 1


def test_an_image_that_is_not_supported(s3, boot, fresh: Path) -> None:
    """The report names the system of the image and those that can be used."""
    (fresh / "os-release").write_text("ID=arch\n")
    assert boot() == 1
    assert "arch; Amazon Linux 2023 and Ubuntu 22.04" in status(s3)["what"]


def test_a_release_for_which_there_is_no_python(s3, boot, fresh: Path) -> None:
    """The report has what its program printed."""
    (fresh / "bin/python3.12").unlink()
    assert boot() == 1
    assert status(s3)["state"] == "failed"
    assert "PYTHON" in status(s3)["output"]


def replace_python(fresh: Path, text: str) -> None:
    (fresh / "bin/python3.12").write_text(f"#!/bin/sh\n{text}\n")


def test_a_bootstrap_that_ends_without_a_report(s3, boot, fresh: Path) -> None:
    """The step that it named last is reported as failed, with the end of its output: no deployment waits for a machine that has failed."""
    replace_python(fresh, """echo '{"step": "services", "state": "running", "reported": true}'; echo Killed; exit 137""")
    assert boot() == 137
    said = status(s3, "services")
    assert (said["state"], said["what"]) == ("failed", "The bootstrap ended with exit code 137.")
    assert said["output"].endswith("Killed")


def test_a_bootstrap_that_does_not_end(s3, boot, fresh: Path) -> None:
    """It is ended after an hour, here a second, and the step in which it was is reported as failed."""
    (fresh / "bin/timeout").write_text('#!/bin/sh\n[ "$1" = 3600 ] && shift && exec /usr/bin/timeout 1 "$@"\n')
    (fresh / "bin/timeout").chmod(0o755)
    replace_python(fresh, """echo '{"step": "services", "state": "running", "reported": true}'; exec sleep 60""")
    assert boot() == 124
    said = status(s3, "services")
    assert (said["state"], said["what"]) == ("failed", "The bootstrap ended with exit code 124, after 3600 s.")


def test_a_bootstrap_whose_last_report_did_not_arrive(s3, boot, fresh: Path) -> None:
    """It is sent again as it was."""
    replace_python(fresh, """echo '{"step": "ready", "state": "ok", "listeners": [{"port": 443}], "reported": false}'""")
    assert boot() == 0
    said = status(s3, "ready")
    assert (said["state"], said["listeners"]) == ("ok", [{"port": 443}])


def test_reports_of_which_one_did_not_arrive(s3, boot, fresh: Path) -> None:
    """It is sent again, although a later one arrived; what arrived is not sent again."""
    reports = (
        '"ready", "state": "running", "reported": true',
        '"ready", "state": "ok", "reported": false',
        '"software", "state": "ok", "reported": true',
    )
    replace_python(fresh, "\n".join(f"""echo '{{"step": {each}}}'""" for each in reports))
    assert boot() == 0
    assert status(s3, "ready")["state"] == "ok"
    assert not [each for each in s3.list_objects_v2(Bucket="bucket")["Contents"] if "software" in each["Key"]]


def test_libraries_that_can_not_be_installed(s3, boot, fresh: Path) -> None:
    """The report has the message and the output of the installer, which the bootstrap could not send without its libraries."""
    replace_python(fresh, """echo '{"step": "release", "state": "failed", "what": "pip failed.", "output": "no match"}'; exit 1""")
    assert boot() == 1
    assert (status(s3)["what"], status(s3)["output"]) == ("pip failed.", "no match")


def test_reports_while_s3_refuses(boot, s3, fresh: Path) -> None:
    """The first report is sent again until S3 takes it, and the boot goes on."""
    (fresh / "refused").touch()
    aws = fresh / "bin/aws"
    aws.write_text(aws.read_text().replace("exec", f'case "$*" in *status.json*) rm "{fresh}/refused" 2>/dev/null && exit 1;; esac\nexec'))
    assert boot() == 0
    assert status(s3)["state"] == "running"


def test_a_fault_of_ours(boot, s3, fresh: Path) -> None:
    """An unexpected exception is reported as well, with its traceback."""
    (fresh / "root").mkdir()
    (fresh / "os-release").unlink()
    (fresh / "os-release").write_bytes(b"\xff")
    with pytest.raises(UnicodeDecodeError):
        boot()
    assert (status(s3)["state"], "can't decode" in status(s3)["what"]) == ("failed", True)


def test_a_program_that_hangs() -> None:
    """It is ended at its deadline and named."""
    with pytest.raises(first_stage.Failed, match=r"`sleep 60` did not end within 1 s"):
        first_stage.run("sleep", "60", longest=1)

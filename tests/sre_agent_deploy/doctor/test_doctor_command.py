"""`doctor`, as a person and a program meet it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from fixtures import preloaded
from fixtures.embedded import EmbeddedAws

CONFIG = """
aws:
  account_id: ${ACCOUNT}
credentials:
  user_pool_id: us-east-1_a
  client_id: abc
  client_secret: env:POOL_SECRET
deployment:
  domain_name: ${DOMAIN:-sre.example.com}
  ssl_cert_path: c.pem
  ssl_key_path: k.pem
gateway:
  description: $${literal}
"""


def doctor(folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SRE_", "SSL_", "HTTP", "http"))}
    nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true"}
    command = preloaded.command("sre_agent_deploy", "doctor", *words)
    return subprocess.run(
        command,
        cwd=folder,
        env={**kept, **nothing, "SRE_AGENT_STATE_DIR": str(folder / "state"), **environ},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def of(ended: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    return {finding["name"]: finding for finding in json.loads(ended.stdout)["findings"]}


def test_local_mode_on_this_machine(tmp_path: Path) -> None:
    """Everything local mode needs is here; looking makes nothing."""
    ended = doctor(tmp_path, "--mode", "local")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Nothing prevents a deployment" in ended.stdout
    assert not list(tmp_path.iterdir())


def test_production_with_credentials(embedded: EmbeddedAws, tmp_path: Path) -> None:
    """AWS itself says whose credentials they are; no secret is in any output."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / ".env").write_text(f"ACCOUNT={embedded.account_id}\n")
    environ = {
        "AWS_ENDPOINT_URL": embedded.endpoint,
        "AWS_CA_BUNDLE": embedded.ca_file,
        "AWS_ACCESS_KEY_ID": embedded.registry["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": embedded.registry["secret_access_key"],
        "POOL_SECRET": "planted-secret-one",
        "HTTPS_PROXY": "",
    }
    ended = doctor(tmp_path, "--json", **environ)
    assert ended.returncode == 0, ended.stdout
    found = of(ended)
    assert embedded.account_id in found["AWS credentials"]["found"]
    assert (found["ACCOUNT"]["status"], found["DOMAIN"]["status"], found["POOL_SECRET"]["found"]) == ("ok", "unset", "set")
    assert "literal" not in found
    result = doctor(tmp_path, **environ)
    for secret in ("planted-secret-one", embedded.registry["secret_access_key"], embedded.registry["access_key_id"]):
        assert secret not in ended.stdout + ended.stderr + result.stdout + result.stderr


def test_production_without_anything(tmp_path: Path) -> None:
    """Each missing thing is reported with its next step, exit 1; a proxy's password is hidden."""
    pem = tmp_path / "no.pem"
    pem.write_text("nothing")
    ended = doctor(tmp_path, "--mode", "production", AWS_CA_BUNDLE=str(pem), NO_PROXY="http://me:hunter2@proxy", SRE_LOG="loud")
    assert ended.returncode == 1
    for code in ("AWS-CREDENTIALS: ", "DOCTOR-VARIABLE-FILE: ", "DOCTOR-VARIABLE-INVALID: "):
        assert code in ended.stderr
    assert "hunter2" not in ended.stdout + ended.stderr
    assert "sre-agent-deploy init" in ended.stdout
    assert "Traceback" not in ended.stderr


def test_files_that_can_not_be_read(tmp_path: Path) -> None:
    """A damaged configuration, .env or AWS file is a finding, never a traceback; the folder of the state is looked at too."""
    (tmp_path / "config.yaml").write_text("aws: [\n")
    (tmp_path / ".env").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "aws").write_text("region = [\n")
    (tmp_path / "state").write_text("")
    ended = doctor(tmp_path, "--mode", "local", "--json", AWS_CONFIG_FILE=str(tmp_path / "aws"))
    assert ended.returncode == 1, ended.stderr
    found = of(ended)
    assert found["config.yaml"]["problem"]["code"] == "DOCTOR-CONFIG-FAULTS"
    assert found["state folder"]["problem"]["code"] == "STATE-FOLDER-UNUSABLE"
    assert not ended.stderr


def test_profiles_are_found(tmp_path: Path) -> None:
    """A profile in either of AWS's files counts; one that is in none does not."""
    (tmp_path / "config").write_text("[profile ops]\nregion = eu-west-1\n")
    (tmp_path / "credentials").write_text("[keys]\naws_access_key_id = planted\n")
    files = {"AWS_CONFIG_FILE": str(tmp_path / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials")}
    ended = doctor(tmp_path, "--json", "--mode", "production", AWS_PROFILE="opz", **files)
    problem = of(ended)["AWS credentials"]["problem"]
    assert problem["code"] == "DOCTOR-PROFILE-UNKNOWN"
    assert "keys, ops" in problem["why"]
    assert "planted" not in ended.stdout

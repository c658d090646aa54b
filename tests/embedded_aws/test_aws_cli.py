"""The unmodified AWS CLI works with what `env` prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from fixtures.embedded import EmbeddedAws

CLI = Path(sys.executable).parent / "aws"


def aws_cli(embedded: EmbeddedAws, home: Path, script: str) -> str:
    """Run a script as a user would: `eval "$(… env)"`, then aws."""
    source = Path(__file__).parents[2] / "src"
    hostile = {"AWS_PROFILE": "production", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "AWS_SESSION_TOKEN": "stale"}
    environment = {"PATH": f"{CLI.parent}:{os.environ['PATH']}", "HOME": str(home), "PYTHONPATH": str(source), **hostile}
    whole = f'set -eu\neval "$({sys.executable} -m embedded_aws env --state-dir {embedded.state_dir})"\n{script}'
    done = subprocess.run(["bash", "-c", whole], capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_cli_reaches_this_aws_and_no_other(embedded: EmbeddedAws, tmp_path: Path) -> None:
    """It does so with any profile and settings that the machine had before."""
    identity = json.loads(aws_cli(embedded, tmp_path, "aws sts get-caller-identity"))

    assert identity["Account"] == embedded.account_id


def test_the_cli_copies_files_to_s3(embedded: EmbeddedAws, tmp_path: Path) -> None:
    """Including one that is sent in parts."""
    large = tmp_path / "large"
    large.write_bytes(os.urandom(9 * 1024 * 1024))
    there, back = "s3://cli-bucket/large", f"{large}.back"
    script = f"aws s3 mb s3://cli-bucket\naws s3 cp --quiet {large} {there}\naws s3 cp --quiet {there} {back}"
    aws_cli(embedded, tmp_path, script)

    assert (tmp_path / "large.back").read_bytes() == large.read_bytes()

"""Local mode: the same deployment against an AWS on this machine, and never against any other.

The differences from production, all of them: the endpoint, the certificate authority, the reasoner (no model without
credentials), the public port (443 needs root), and the address of the instance (loopback).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import MutableMapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sre_agent_deploy.aws import Aws, Endpoint
from sre_core.problem import Problem
from sre_core.secret import Secret
from sre_core.state_folder import state_folder

__all__ = ["Registry", "running", "scrub", "started", "state_folder", "stopped"]

# What could send a call elsewhere: credentials and endpoints of a real account, and proxies.
_LEAKS = ("AWS_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "BOTO_CONFIG", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True)
class Registry:
    """A running AWS on this machine, as its registry file tells."""

    path: Path
    start_id: str
    pid: int
    endpoint: str
    ca_file: str
    log_file: str
    account_id: str
    region: str
    access_key_id: str
    secret_access_key: Secret
    fresh: bool = False
    """Whether this command had to start it."""

    def aws(self, region: str) -> Aws:
        endpoint = Endpoint(self.endpoint, self.ca_file, self.access_key_id, self.secret_access_key)
        return Aws(region=region, account_id=self.account_id, endpoint=endpoint)


def scrub(environ: MutableMapping[str, str] = os.environ) -> None:
    """Take everything out of the environment that could lead a call to a real account, or off this machine."""
    for name in [name for name in environ if name.upper().startswith(_LEAKS)]:
        del environ[name]
    environ.update(AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull, AWS_EC2_METADATA_DISABLED="true", NO_PROXY="*")


def started(region: str) -> Registry | Problem:
    """The AWS of this machine; it is started when it does not run."""
    before = _start_id(_registry_path())
    answer = _ask("start", "--region", region)
    if answer.returncode != 0:
        return _not_started(answer.stderr.strip() or answer.stdout.strip())
    registry = _read(_registry_path(), json.loads(answer.stdout))
    if registry.start_id != before:
        _ours().write_text(registry.start_id, encoding="ascii")
        return replace(registry, fresh=True)
    return registry


def running() -> Registry | None:
    """The AWS of this machine if it runs, else None. Starts nothing."""
    path = _registry_path()
    if not path.exists() or _ask("status").returncode != 0:
        return None
    return _read(path, json.loads(path.read_text(encoding="utf-8")))


def stopped(registry: Registry) -> bool:
    """Stop the AWS of this machine with everything it runs, if it was started by this tool; one that the user started stays."""
    marker = _ours()
    if not marker.exists() or marker.read_text(encoding="ascii") != registry.start_id:
        return False
    marker.unlink()
    return _ask("stop").returncode == 0


def swept() -> None:
    """Remove what an AWS of this machine that runs no more left on the disk."""
    if state_folder().is_dir():
        _ask("stop")
        _ours().unlink(missing_ok=True)


def _registry_path() -> Path:
    return state_folder() / "embedded-aws.json"


def _ours() -> Path:
    """Says which start of the AWS of this machine was this tool's doing."""
    return state_folder() / "started-here"


def _start_id(path: Path) -> str:
    try:
        return str(json.loads(path.read_text(encoding="utf-8")).get("start_id", ""))
    except (OSError, ValueError):
        return ""


def _ask(*words: str) -> subprocess.CompletedProcess[str]:
    folder = state_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [sys.executable, "-m", "embedded_aws", *words, "--state-dir", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=120)  # noqa: S603


def _read(path: Path, document: dict[str, Any]) -> Registry:
    names = ("start_id", "pid", "endpoint", "ca_file", "log_file", "account_id", "region", "access_key_id")
    return Registry(path=path, secret_access_key=Secret(document["secret_access_key"]), **{name: document[name] for name in names})


def _not_started(detail: str) -> Problem:
    absent = "No module named" in detail
    return Problem(
        code="LOCAL-AWS-NOT-STARTED",
        what="The AWS of this machine, which local mode deploys to, did not start.",
        why=detail[-600:] or "It ended without a word.",
        do=(
            "Install what local mode needs: `pip install 'sre-agent[local]'`." if absent else "Correct what is said above.",
            "Run the same command again.",
        ),
    )

"""The local AWS of local mode: start, share and stop it, and keep every call away from a real account.

All differences from production: the endpoint, the certificate authority, the reasoner (no model without
credentials), the public port (443 needs root), and the address of the instance (loopback).
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

from sre_agent_deploy.aws import Aws, Endpoint
from sre_core import atomic_file
from sre_core.problem import Problem
from sre_core.process import Fate, Identity
from sre_core.secret import Secret
from sre_core.state_folder import state_folder

# Variables that could send a call elsewhere: credentials and endpoints of a real account, and proxies.
_LEAKS = ("AWS_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "BOTO_CONFIG", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


LONGEST_START = timedelta(minutes=2)
_NONE = "-"
# Of the registry file: docs/concepts/contracts.md.
_SCHEMA = 1


@dataclass(frozen=True)
class Registry:
    """A running local AWS, as its registry file describes it."""

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
    hold: IO[bytes] | None = None
    """The lock that keeps other commands from stopping it while this one uses it."""

    def aws(self, region: str) -> Aws:
        """Make the clients for this AWS."""
        endpoint = Endpoint(self.endpoint, self.ca_file, self.access_key_id, self.secret_access_key)
        return Aws(region=region, account_id=self.account_id, endpoint=endpoint)

    @property
    def service_logs(self) -> str:
        """Return the folder of the services' logs, as a pattern for the shell."""
        return f"{self.path.parent}/start-{self.start_id}/instances/*/logs"


def scrub_environment(environ: MutableMapping[str, str] = os.environ) -> None:
    """Remove everything from the environment that could send a call to a real account, or off this machine."""
    for name in [name for name in environ if name.upper().startswith(_LEAKS)]:
        del environ[name]
    environ.update(AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull, AWS_EC2_METADATA_DISABLED="true", NO_PROXY="*")


def hold_local_aws() -> IO[bytes]:
    """Keep other commands from stopping the local AWS until this process releases it or ends."""
    folder = state_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    hold = (folder / "embedded-aws.users").open("ab")
    fcntl.flock(hold, fcntl.LOCK_SH)
    return hold


def start_local_aws(region: str) -> Registry | Problem:
    """Start the local AWS where it does not run yet, and return its registry."""
    previous_start, ours = _read_value(_registry_path(), "start_id"), _read_text(_started_here()).partition(" ")[0]
    # Written before the start, so that one whose starter is killed is known as this tool's too.
    atomic_file.write(_started_here(), f"{ours or _NONE} {previous_start or _NONE}".encode())
    try:
        answer = _run_embedded_aws("start", "--region", region)
    except subprocess.TimeoutExpired as slow:
        return _not_started(f"It did not report within {slow.timeout:.0f} seconds that it runs.")
    except KeyboardInterrupt:
        # The local AWS would go on starting without a user: wait until it runs, then stop it.
        if _run_embedded_aws("start").returncode == 0 and _read_value(_registry_path(), "start_id") != previous_start:
            _run_embedded_aws("stop")
        raise
    if answer.returncode != 0:
        running = _read_value(_registry_path(), "region")
        if "EMBEDDED-AWS-OTHER-REGION" in answer.stderr and running:
            return _other_region(running, region)
        return _not_started(answer.stderr.strip() or answer.stdout.strip())
    registry = parse_registry(_registry_path(), json.loads(answer.stdout))
    atomic_file.write(_started_here(), (registry.start_id if _is_started_here(registry.start_id) else _NONE).encode())
    return registry


def find_running(path: Path | None = None) -> Registry | None:
    """Find the local AWS if it runs: that of this state folder, or the one with this registry file. Starts nothing.

    Raises PermissionError where another user's registry file may not be read.
    """
    path = path or _registry_path()
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        process = Identity(int(document["pid"]), document["process_started"], document["boot_id"])
        known = document["schema"] == _SCHEMA and process.fate() is Fate.RUNNING
        return parse_registry(path, document) if known else None
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return None


def record_deployment(registry: Registry, deployment: str) -> None:
    """Record that a deployment is in the local AWS, which keeps running until that is cleaned up."""
    note = _deployment_note(deployment)
    note.parent.mkdir(mode=0o700, exist_ok=True)
    atomic_file.write(note, registry.start_id.encode())


def has_note(deployment: str) -> bool:
    """Return True if a local AWS of this machine had this deployment and it was not cleaned up."""
    return bool(deployment) and _deployment_note(deployment).exists()


def forget_deployment(deployment: str) -> None:
    """Remove the record of a deployment that is gone."""
    _deployment_note(deployment).unlink(missing_ok=True)


def release_local_aws(registry: Registry) -> bool:
    """Release the local AWS and say if that stopped it: the last command stops what this tool started and no deployment needs."""
    hold = registry.hold or hold_local_aws()
    if _is_needed(registry, hold):
        # Of two commands that release it at once, the second one stops it.
        fcntl.flock(hold, fcntl.LOCK_UN)
        return False
    _started_here().unlink()
    return _run_embedded_aws("stop").returncode == 0


def _is_needed(registry: Registry, hold: IO[bytes]) -> bool:
    """Say if this tool did not start it, another command uses it, or a deployment or something else is in it."""
    try:
        fcntl.flock(hold, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    deployed = any(_read_text(note) == registry.start_id for note in _deployment_note("any").parent.glob("*"))
    return deployed or not _is_started_here(registry.start_id) or bool(list_contents(registry))


def list_contents(registry: Registry) -> tuple[str, ...]:
    """List what is in the local AWS, by the names and ids of what people make: it is lost when the AWS stops."""
    aws = registry.aws(registry.region)
    machines = aws.client("ec2").describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["pending", "running", "stopped"]}])
    return (
        *(bucket["Name"] for bucket in aws.client("s3").list_buckets()["Buckets"]),
        *(secret["Name"] for secret in aws.client("secretsmanager").list_secrets()["SecretList"]),
        *(role["RoleName"] for role in aws.client("iam").list_roles()["Roles"]),
        *(pool["Id"] for pool in aws.client("cognito-idp").list_user_pools(MaxResults=60)["UserPools"]),
        *(machine["InstanceId"] for reservation in machines["Reservations"] for machine in reservation["Instances"]),
    )


def remove_leftovers() -> None:
    """Remove the files of a local AWS that no longer runs."""
    if state_folder().is_dir():
        _run_embedded_aws("stop")
        _started_here().unlink(missing_ok=True)
        shutil.rmtree(_deployment_note("any").parent, ignore_errors=True)


def _registry_path() -> Path:
    return state_folder() / "embedded-aws.json"


def _started_here() -> Path:
    """Return the file that records which start of the local AWS this tool made.

    While one is being started, the start that was there before is in it too.
    """
    return state_folder() / "started-here"


def _is_started_here(start_id: str) -> bool:
    """Return True if this tool made this start: it is recorded, or it came after the one that its starter saw before."""
    ours, _, previous = _read_text(_started_here()).partition(" ")
    return start_id == ours or (bool(previous) and start_id != previous)


def _deployment_note(deployment: str) -> Path:
    """Return the file that records in which start of the local AWS a deployment is, from its first step on."""
    return state_folder() / "deployments-here" / deployment


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except OSError:
        return ""


def _read_value(path: Path, name: str) -> str:
    """Read one value of a registry; "" where there is none, or no registry."""
    try:
        return str(json.loads(path.read_text(encoding="utf-8")).get(name, ""))
    except (OSError, ValueError):
        return ""


def _run_embedded_aws(*words: str) -> subprocess.CompletedProcess[str]:
    folder = state_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [sys.executable, "-m", "embedded_aws", *words, "--state-dir", str(folder)]
    longest = LONGEST_START.total_seconds()
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=longest)  # noqa: S603


def parse_registry(path: Path, document: dict[str, Any]) -> Registry:
    """Parse the document of a registry file."""
    names = ("start_id", "pid", "endpoint", "ca_file", "log_file", "account_id", "region", "access_key_id")
    return Registry(path=path, secret_access_key=Secret(document["secret_access_key"]), **{name: document[name] for name in names})


def _other_region(running: str, wanted: str) -> Problem:
    return Problem(
        code="LOCAL-AWS-OTHER-REGION",
        what=f"The local AWS runs in {running}; the configuration asks for {wanted}.",
        why="A local AWS has one region for as long as it runs.",
        do=(
            f"Set `aws.region: {running}` in the configuration.",
            "Or clean up what runs there (`sre-agent-deploy cleanup` in its folder): then the local AWS stops and can start elsewhere.",
        ),
    )


def _not_started(detail: str) -> Problem:
    install = "Install what local mode needs: `pip install 'sre-agent[local]'`, in a checkout `pip install '.[local]'`."
    return Problem(
        code="LOCAL-AWS-NOT-STARTED",
        what="The local AWS, which local mode deploys to, did not start.",
        why=detail[-600:] or "It ended without output.",
        do=(
            install if "No module named" in detail else "Correct the cause named above.",
            "Run the same command again.",
        ),
    )

"""The two commands as a user runs them: real processes, a folder and a state of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


@dataclass(frozen=True)
class Desk:
    """One user's working folder, with a configuration for local mode."""

    folder: Path
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def state_dir(self) -> Path:
        return self.folder / "state"

    @property
    def state_file(self) -> Path:
        return self.folder / ".deployment_state"

    @property
    def registry_file(self) -> Path:
        return self.state_dir / "embedded-aws.json"

    def registry(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.registry_file.read_text())
        return document

    def configure(self, **sections: Any) -> None:
        """Write config.yaml (JSON is YAML); local mode, the crash loop, unless said otherwise."""
        document = {"version": 1, "mode": "local", "name": "test", "services": {"recording": "crash-loop"}, **sections}
        (self.folder / "config.yaml").write_text(json.dumps(document))

    def started(self, module: str, *words: str, **changed: str) -> subprocess.Popen[str]:
        """Start a command; the caller ends it."""
        environ = {**os.environ, "SRE_AGENT_STATE_DIR": str(self.state_dir), **self.environ, **changed}
        command = [sys.executable, "-m", module, *words]
        return subprocess.Popen(
            command, cwd=self.folder, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, module: str, *words: str, **changed: str) -> Ended:
        process = self.started(module, *words, **changed)
        out, err = process.communicate(timeout=240)
        return Ended(process.returncode, out, err)

    def deploy(self, *words: str, **changed: str) -> Ended:
        """`sre-agent-deploy …`"""
        return self.run("sre_agent_deploy", *words, **changed)

    def agent(self, *words: str, **changed: str) -> Ended:
        """`sre-agent …`"""
        return self.run("sre_agent", *words, **changed)

    def client(self, service: str) -> Any:
        """A raw boto3 client for the AWS of this desk; it shares no code with src."""
        import boto3

        registry = self.registry()
        return boto3.Session(registry["access_key_id"], registry["secret_access_key"], region_name="us-east-1").client(
            service, endpoint_url=registry["endpoint"], verify=registry["ca_file"]
        )

    def close(self) -> None:
        """End what runs for this desk, however the test ended."""
        self.run("embedded_aws", "stop", "--state-dir", str(self.state_dir))

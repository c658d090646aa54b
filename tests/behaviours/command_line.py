"""The two commands as a user runs them: real processes, a folder and a state of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from fixtures import preloaded
from fixtures.embedded import served, session

ROOT = Path(__file__).parents[2]
# Several threads may ask for a client, and making one is not safe to do twice at once.
_making = threading.Lock()


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
    opened: ExitStack = field(default_factory=ExitStack)
    patience: float = 240
    """Seconds that a command may take."""
    clients: dict[tuple[str, str, str], Any] = field(default_factory=dict)

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
        """Write config.yaml (JSON is YAML); local mode, the crash loop, and an AWS that hides nothing, unless said otherwise."""
        usual = {"services": {"recording": "crash-loop"}, "retries": {"shown": "2s"}}
        document = {"version": 1, "mode": "local", "name": "test", **usual, **sections}
        (self.folder / "config.yaml").write_text(json.dumps(document))

    def start_aws(self, *options: str) -> None:
        """Start the AWS that the commands of this desk find; it ends with the desk."""
        self.opened.enter_context(served(self.state_dir, *options))

    def started(self, module: str, *words: str, **changed: str) -> subprocess.Popen[str]:
        """Start a command as users do; the caller ends it."""
        return self._opened([sys.executable, "-m", module, *words], changed)

    def forked(self, module: str, *words: str, **changed: str) -> subprocess.Popen[str]:
        """Start a command without the seconds that importing its libraries takes; the caller ends it."""
        return self._opened(preloaded.command(module, *words), changed)

    def run(self, module: str, *words: str, **changed: str) -> Ended:
        """Run a command to its end, forked."""
        process = self.forked(module, *words, **changed)
        try:
            out, err = process.communicate(timeout=self.patience)
        except SystemExit:
            # `make test-aws` was stopped: the command ends first, so that no run still creates resources during a sweep.
            process.terminate()
            process.communicate(timeout=self.patience)
            raise
        return Ended(process.returncode, out, err)

    def _opened(self, command: list[str], changed: Mapping[str, str]) -> subprocess.Popen[str]:
        environ = {**os.environ, "SRE_AGENT_STATE_DIR": str(self.state_dir), **self.environ, **changed}
        return subprocess.Popen(
            command, cwd=self.folder, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def deploy(self, *words: str, **changed: str) -> Ended:
        """`sre-agent-deploy …`"""
        return self.run("sre_agent_deploy", *words, **changed)

    def agent(self, *words: str, **changed: str) -> Ended:
        """`sre-agent …`"""
        return self.run("sre_agent", *words, **changed)

    def client(self, service: str, region: str = "us-east-1") -> Any:
        """A raw boto3 client for the AWS of this desk, made once for each of its starts; it shares no code with src."""
        registry = self.registry()
        with _making:
            known = (registry["start_id"], service, region)
            if known not in self.clients:
                self.clients[known] = session().client(
                    service,
                    region_name=region,
                    endpoint_url=registry["endpoint"],
                    verify=registry["ca_file"],
                    aws_access_key_id=registry["access_key_id"],
                    aws_secret_access_key=registry["secret_access_key"],
                )
            return self.clients[known]

    def processes(self) -> list[str]:
        """List every process of this desk: each has the desk's folder in its arguments or its environment."""
        mine = []
        for process in psutil.process_iter(["pid", "cmdline", "environ"]):
            texts = " ".join(process.info["cmdline"] or []) + " ".join((process.info["environ"] or {}).values())
            if str(self.folder) in texts and process.info["pid"] != os.getpid():
                mine.append(f"{process.info['pid']}: {' '.join(process.info['cmdline'] or [])}")
        return mine

    def close(self) -> None:
        """End what runs for this desk, however the test ended."""
        self.opened.close()
        self.run("embedded_aws", "stop", "--state-dir", str(self.state_dir))

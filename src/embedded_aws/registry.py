"""The registry file, with which programs find the local AWS of a state folder and its process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sre_core import atomic_file
from sre_core.process import Fate, Identity
from sre_core.secret import Secret

SCHEMA = 1
FILE_NAME = "embedded-aws.json"


@dataclass(frozen=True, kw_only=True)
class Registry:
    """One start: its endpoint, its access key, and its process."""

    start_id: str
    process: Identity
    started_at: str
    endpoint: str
    ca_file: Path
    log_file: Path
    account_id: str
    region: str
    access_key_id: str
    secret_access_key: Secret

    def to_json(self) -> dict[str, object]:
        """Return the document of docs/concepts/contracts.md. It has the secret key: for the 0600 file and the terminal of its owner."""
        return {
            "schema": SCHEMA,
            "start_id": self.start_id,
            "pid": self.process.pid,
            "process_started": self.process.process_started,
            "boot_id": self.process.boot_id,
            "started_at": self.started_at,
            "endpoint": self.endpoint,
            "ca_file": str(self.ca_file),
            "log_file": str(self.log_file),
            "account_id": self.account_id,
            "region": self.region,
            "access_key_id": self.access_key_id,
            "secret_access_key": self.secret_access_key.reveal(),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, object]) -> Registry:
        """Parse the document. Raises KeyError or ValueError on another schema."""
        if document["schema"] != SCHEMA:
            raise ValueError(f"schema {document['schema']}")
        texts = {name: str(document[name]) for name in ("start_id", "started_at", "endpoint", "account_id", "region", "access_key_id")}
        return cls(
            process=Identity(int(str(document["pid"])), str(document["process_started"]), str(document["boot_id"])),
            ca_file=Path(str(document["ca_file"])),
            log_file=Path(str(document["log_file"])),
            secret_access_key=Secret(str(document["secret_access_key"])),
            **texts,
        )

    def running(self) -> bool:
        return self.process.fate() is Fate.RUNNING


def path_in(state_dir: Path) -> Path:
    return state_dir / FILE_NAME


def read(state_dir: Path) -> Registry | None:
    """Return the registry of the last start, or None where it was stopped, never was, or can't be read."""
    try:
        return Registry.from_json(json.loads(path_in(state_dir).read_bytes()))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def write(state_dir: Path, registry: Registry) -> None:
    document = json.dumps(registry.to_json(), indent=2) + "\n"
    atomic_file.write(path_in(state_dir), document.encode(), mode=0o600)

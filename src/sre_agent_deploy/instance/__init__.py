"""The programs and paths on the instance, shared by systemd units, nginx and bootstrap.

Read `user_data.py` first, then `first_stage.py` and `bootstrap.py`, which run there. `bootstrap` and what it imports travel inside
the release and need the standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

USER = "sre-agent"
LOGS = "sre-agent"
"""The folder of the services' own log files, below /var/log; systemd makes one in it for each."""
STATE = "sre-agent"
"""The folder of what services keep on this machine's disk, below /var/lib."""


@dataclass(frozen=True)
class Layout:
    """The folders of one machine. Tests choose others than the defaults."""

    release: Path
    root: Path = Path("/opt/sre-agent")
    secrets: Path = Path("/etc/sre-agent")
    run: Path = Path("/run/sre-agent")

    @property
    def venv(self) -> Path:
        """Return the folder of this release's libraries; each release has its own."""
        return self.root / "venvs" / self.release.name

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"

    @property
    def cache(self) -> Path:
        """Return the folder into which uv unpacks libraries; on the same file system they are linked, not copied."""
        return self.root / "cache"

    @property
    def wheels(self) -> Path:
        """Return the folder of the libraries that a release brings along, if it does."""
        return self.release / "wheels"

    @property
    def certificate(self) -> Path:
        return self.secrets / "tls" / "certificate.pem"

    @property
    def warned(self) -> Path:
        """Return the file that records which warnings of the certificate were given on which day."""
        return self.secrets / "tls" / "warned.json"

    @property
    def key(self) -> Path:
        return self.secrets / "tls" / "key.pem"

    @property
    def challenges(self) -> Path:
        """Return the folder whose files the front door shows to an ACME authority; it has files only while a certificate is ordered."""
        return self.run / "acme"

    def credentials(self, service: str) -> Path:
        """Return the folder of one service's credentials; its unit shows it no other."""
        return self.secrets / "credentials" / service

    def credential(self, service: str, name: str) -> Path:
        return self.credentials(service) / name

    def socket(self, service: str) -> Path:
        return self.run / service / "http.sock"

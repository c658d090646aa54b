"""What a service finds in its environment: what machine.json says, and nothing of the person who started this AWS."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path

from sre_core.machine import MachineService

# Where Linux distributions and macOS keep the certificate authorities that the system trusts, as one file.
_SYSTEM_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


def service_environment(service: MachineService, *, release: Path, credentials: Path, trusted: Path, home: Path) -> dict[str, str]:
    """The whole environment of one service; AWS variables, proxies and profiles of this machine are not in it."""
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "HOME": str(home),
        **service.environment,
        "PYTHONPATH": str(release),
        "CREDENTIALS_DIRECTORY": str(credentials),
        "SSL_CERT_FILE": str(trusted),
    }


def write_trusted(ca_file: Path, bundle: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """Write the authorities that services trust: the system's and this AWS's own."""
    candidates = (environment.get("SSL_CERT_FILE"), ssl.get_default_verify_paths().cafile, *_SYSTEM_BUNDLES)
    system = next((Path(name) for name in candidates if name and Path(name).is_file()), None)
    parts = [source.read_text(encoding="utf-8").rstrip() for source in (system, ca_file) if source]
    bundle.write_text("\n".join(parts) + "\n", encoding="utf-8")
    return bundle

"""Write what a container image holds: the release, its hash, and the front door's nginx.conf.

It needs the standard library only: the build runs it before any library is installed.
"""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

from sre_agent_deploy.instance.layout import Layout
from sre_agent_deploy.instance.nginx import NginxPaths, render_nginx_conf
from sre_agent_deploy.instance.release_archive import build_archive
from sre_core import release
from sre_core.machine import FrontDoor, Listener, Route, SecretRef

# A container's user may not listen below 1024 everywhere; compose.yaml publishes these as 443 and 80.
HTTPS_PORT = 8443
REDIRECT_PORT = 8080
# In a container everything but the folder for temporary files is read-only.
_PATHS = NginxPaths(pid_file=Path("/tmp/nginx.pid"), temporary=Path("/tmp"), user="")  # noqa: S108


def write_image(folder: Path) -> None:
    """Write `release/`, `release.sha256` and `nginx.conf` into a folder."""
    archive = build_archive()
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(archive.bytes)) as content:
        content.extractall(folder / "release")
    (folder / "release.sha256").write_text(archive.sha256 + "\n", encoding="ascii")
    (folder / "nginx.conf").write_text(_render_door(), encoding="utf-8")


def _render_door() -> str:
    routes = tuple(Route(service.route, service.name) for service in release.services())
    door = FrontDoor("", SecretRef(""), (Listener(HTTPS_PORT, "public", routes),), REDIRECT_PORT)
    return render_nginx_conf(door, Layout(Path("/opt/sre-agent/release"), secrets=Path("/run/secrets")), _PATHS)


if __name__ == "__main__":
    write_image(Path(sys.argv[1]))

"""START HERE: `make test-containers` builds containers/Dockerfile for real with Debian's buildah, and looks into what it built."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from booted import image
from sre_agent_deploy.instance.release_archive import build_archive
from sre_core.problem import Problem

ROOT = Path(__file__).parents[2]
PROGRAMS = {"buildah": "buildah", "mmdebstrap": "mmdebstrap"}
# What the base image of a registry has, and nginx with what it needs, so that the build needs no index.
PACKAGES = ("ca-certificates", "libffi8", "libreadline8", "libsqlite3-0", "libssl3", "netbase")
BASE = "localhost/python:3.12"


def main() -> int:
    """Build both images and check them; 0 if each check passed."""
    if problem := find_obstacle():
        print(problem, file=sys.stderr)
        return 2
    folder = Path(tempfile.mkdtemp(prefix="sre-containers-"))
    try:
        buildah = Buildah(folder)
        build_base(buildah)
        return 0 if check_service(buildah) and check_door(buildah) else 1
    finally:
        subprocess.run(["buildah", *Buildah.options(folder), "rm", "--all"], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


class Buildah:
    """buildah with a storage of its own: no daemon, no privileges beyond chroot."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wheels = image.find_or_download_wheels()

    @staticmethod
    def options(folder: Path) -> list[str]:
        return ["--root", str(folder / "storage"), "--runroot", str(folder / "run"), "--storage-driver", "vfs"]

    def run(self, *words: str) -> str:
        command = ["buildah", *self.options(self.folder), *words]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise SystemExit(f"{' '.join(command[:8])} ended with {ended.returncode}:\n{ended.stdout[-2000:]}{ended.stderr[-4000:]}")
        return ended.stdout.strip()

    def build(self, target: str) -> str:
        """Build one target and return its container's root folder and name."""
        build = ("bud", "--isolation", "chroot", "--volume", f"{self.wheels}:/opt/wheels:ro", "--build-arg", f"PYTHON={BASE}")
        self.run(*build, "--target", target, "-t", f"localhost/{target}", "-f", "containers/Dockerfile", ".")
        return self.run("from", f"localhost/{target}")


def find_obstacle() -> Problem | None:
    """Say what this computer lacks to build an image."""
    absent = {package for program, package in PROGRAMS.items() if not shutil.which(program)}
    if sys.platform.startswith("linux") and not os.geteuid() and not absent:
        return None
    return Problem(
        code="TEST-CONTAINERS-IMPOSSIBLE",
        what="No image was built, so nothing is known about it.",
        why=f"It needs root on Debian or Ubuntu, and these packages: {', '.join(sorted(absent or PROGRAMS.values()))}.",
        do=("Run `make test-containers` as root there.",),
    )


def build_base(buildah: Buildah) -> None:
    """Build the base image that a registry would give: Debian and this computer's Python, with the locked libraries as its index."""
    root = buildah.folder / "base"
    options = ("--variant=minbase", "--dpkgopt=force-unsafe-io", f"--include={','.join(PACKAGES)}")
    subprocess.run(["mmdebstrap", *options, image.SUITE, str(root)], check=True, capture_output=True)
    image.install_python(root)
    (root / "etc/pip.conf").write_text("[global]\nno-index = true\nfind-links = /opt/wheels\ndisable-pip-version-check = true\n")
    (root / "opt/wheels").mkdir()
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    empty = buildah.run("from", "scratch")
    buildah.run("copy", "--quiet", empty, str(root), "/")
    buildah.run("commit", "--quiet", empty, BASE)
    shutil.rmtree(root)


def check_service(buildah: Buildah) -> bool:
    """Check the image of the services: its user, its files, and that every program of the release starts in it."""
    name = buildah.build("service")
    root = Path(buildah.run("mount", name))
    settings = json.loads(buildah.run("inspect", "--type", "image", "localhost/service"))["OCIv1"]["config"]
    run = ("run", "--isolation", "chroot", name, "--", "/opt/sre-agent/venv/bin/python")
    return all(
        (
            check("the user has no rights", settings["User"] == "10001:10001"),
            check("the release is the deployment's, byte for byte", is_release(root / "opt/sre-agent")),
            check("its user can't change the release", not writable(root / "opt/sre-agent", 10001)),
            check(
                "no secret and no cache is in it",
                not list(root.glob("run/secrets/*")) and not list(root.glob("opt/sre-agent/venv/bin/pip*")),
            ),
            check("the services start", "kubernetes" in buildah.run(*run, "-m", "sre_services", "--help")),
            check("the assistant starts", "serve" in buildah.run(*run, "-m", "sre_agent", "--help")),
        )
    )


def check_door(buildah: Buildah) -> bool:
    """Check the image of the front door: its user, and that nginx accepts its configuration."""
    name = buildah.build("door")
    root = Path(buildah.run("mount", name))
    settings = json.loads(buildah.run("inspect", "--type", "image", "localhost/door"))["OCIv1"]["config"]
    version = buildah.run("run", "--isolation", "chroot", name, "--", "nginx", "-V")
    return all(
        (
            check("the user has no rights", settings["User"] == "10001:10001"),
            check("nginx is there", not version or "nginx" in version),
            check("it has the routes of the release", "location /api/kubernetes/" in (root / "etc/nginx/nginx.conf").read_text()),
        )
    )


def is_release(folder: Path) -> bool:
    """Compare the hash and every file with the release that a deployment would upload."""
    import io
    import zipfile

    archive = build_archive()
    with zipfile.ZipFile(io.BytesIO(archive.bytes)) as content:
        same = all((folder / "release" / name).read_bytes() == content.read(name) for name in content.namelist())
        names = {str(path.relative_to(folder / "release")) for path in (folder / "release").rglob("*") if path.is_file()}
    return same and names == set(content.namelist()) and (folder / "release.sha256").read_text().strip() == archive.sha256


def writable(folder: Path, user: int) -> bool:
    """Return whether a file below the folder belongs to this user or may be written by everybody."""
    files = [path for path in folder.rglob("*") if not path.is_symlink()]
    return any(path.stat().st_uid == user or path.stat().st_mode & 0o002 for path in files)


def check(says: str, passed: bool) -> bool:
    print(f"  {'ok  ' if passed else 'FAIL'}  {says}", flush=True)
    return passed


if __name__ == "__main__":
    sys.exit(main())

"""Build the release, the assistant's package, and the contents of a container image.

Release and package are one zip each, the same byte for byte on every machine that builds it from the same files. It needs the
standard library only: an image is built before any library is installed.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from sre_agent_deploy.instance import Layout
from sre_agent_deploy.instance.interpreter import BUILD, LOCK, PYTHON
from sre_agent_deploy.instance.nginx import NginxPaths, render_nginx_conf
from sre_core import release
from sre_core.machine import FrontDoor, Listener, Route, SecretRef

# In the form `package[/folder]`. Of the deployer only the parts that run on a machine.
_PACKAGES = (
    "sre_core",
    "sre_services",
    "sre_agent",
    *(f"sre_agent_deploy/{part}" for part in ("instance", "tls", "aws")),
)
# What a machine's own backups need of the rest.
_MODULES = (
    "__init__",
    "later",
    "progress",
    "resource",
    "backup/__init__",
    "backup/contents",
    "resources/__init__",
    "resources/cognito_users",
    "resources/s3_content",
)
_OF_ASSISTANT = ("sre_core", "sre_agent")
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
# A library of another system has a marker that names that system; no machine installs it.
_LOCKED = re.compile(r"^(?P<library>[\w.-]+==\S++)(?! ; sys_platform == )[^\n]*(?P<hashes>(?:\n +--hash=\S+(?: \\)?)+)", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_LEFT_OUT = frozenset(("__pycache__", "tests"))
_AARCH64 = 183  # EM_AARCH64 in the header of an ELF file
# The earliest time that a zip can hold.
_MOMENT = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Archive:
    """A release, and the hash of its content, which is its name."""

    bytes: bytes
    sha256: str


def build_archive(recording: Path | None = None, bundled: Iterable[Path] = ()) -> Archive:
    """Build the release; `recording` is a folder of the user, which becomes `recording/`. Bundled files are in `wheels/` and `python/`."""
    return _pack((*_files(recording), *((_place(file), file) for file in bundled)))


def _place(file: Path) -> str:
    """Name the place of a wheel, or of Python's archive: where uv looks for it in a mirror."""
    return f"wheels/{file.name}" if file.suffix == ".whl" else f"python/{BUILD}/{file.name}"


@dataclass(frozen=True)
class Bundled:
    """The files of a folder that a release brings along, and what the folder lacks."""

    files: tuple[Path, ...]
    missing: tuple[str, ...]


def find_bundled(folder: Path, *, python: bool = False, locks: tuple[Path, ...] = (REQUIREMENTS, LOCK)) -> Bundled:
    """Find the wheels of a folder whose hashes the locks know and, for an image without Python 3.12, the archive of one.

    Of which processor they are is seen on the machine, by uv, which also knows the hash of the archive.
    """
    hashes = {hashlib.sha256(file.read_bytes()).hexdigest(): file for file in sorted(folder.glob("*.whl"))}
    text = "".join(lock.read_text(encoding="utf-8") for lock in locks)
    locked = {match["library"]: set(_HASH.findall(match["hashes"])) for match in _LOCKED.finditer(text)}
    known = set().union(*locked.values())
    missing = [library for library, those in locked.items() if not those & hashes.keys()]
    files = [file for digest, file in hashes.items() if digest in known]
    if python:
        archives = sorted(folder.glob(f"cpython-{PYTHON}+{BUILD}-*-install_only_stripped.tar.gz"))
        files += archives
        missing += [] if archives else [f"Python {PYTHON}"]
    return Bundled(tuple(files), tuple(missing))


def build_package(libraries: Path | None = None) -> Archive:
    """Build the assistant's package for AgentCore Runtime: `main.py`, what it imports, and a folder of libraries."""
    files = [("main.py", _folder("sre_agent") / "on_runtime.py")]
    files += [entry for package in _OF_ASSISTANT for entry in _below(package, _folder(package))]
    files += [(name.removeprefix("/"), file) for name, file in (_below("", libraries) if libraries else ())]
    return _pack(files)


def find_foreign_binaries(libraries: Path) -> tuple[str, ...]:
    """List the binaries in a folder of libraries that do not run on arm64 under Linux, as AgentCore Runtime has it."""
    return tuple(sorted(name.removeprefix("/") for name, file in _below("", libraries) if _is_foreign(file)))


def _is_foreign(file: Path) -> bool:
    with file.open("rb") as content:
        head = content.read(20)
    if head.startswith(b"\x7fELF"):
        return int.from_bytes(head[18:20], "little") != _AARCH64
    return file.suffix in (".so", ".dylib", ".pyd")


def _pack(files: Iterable[tuple[str, Path]]) -> Archive:
    out = io.BytesIO()
    # Stored, not compressed: zlib's output differs between versions, and the hash is the release's name.
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, file in sorted(files):
            archive.writestr(_entry(name), file.read_bytes())
    body = out.getvalue()
    return Archive(body, hashlib.sha256(body).hexdigest())


def _files(recording: Path | None) -> Iterator[tuple[str, Path]]:
    for package in _PACKAGES:
        top, _, below = package.partition("/")
        yield from _below(package, _folder(top) / below)
    for module in _MODULES:
        yield f"sre_agent_deploy/{module}.py", _folder("sre_agent_deploy") / f"{module}.py"
    if recording is not None:
        yield from _below("recording", recording)


def _below(prefix: str, folder: Path) -> Iterator[tuple[str, Path]]:
    # Each command builds the release: `Path.rglob` takes ten times as long, most of it for folders that are left out.
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if _belongs(name)]
        relative = Path(place).relative_to(folder).parts
        for name in filter(_belongs, files):
            if (file := Path(place, name)).is_file():
                yield "/".join((prefix, *relative, name)), file


def _belongs(name: str) -> bool:
    return name not in _LEFT_OUT and not name.startswith(".")


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _MOMENT)
    entry.create_system = 3  # Unix, on every machine that builds it
    entry.external_attr = 0o644 << 16
    return entry


def _folder(package: str) -> Path:
    """Find where a package is installed, without importing it."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise LookupError(f"{package} is not installed beside sre_agent_deploy")
    return Path(spec.submodule_search_locations[0])


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

"""The release: what a machine runs, as one archive that is the same, byte for byte, from the same files."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("sre_core", "sre_services", "sre_agent")
_WHEN = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can say; a real time would make every build another release


@dataclass(frozen=True)
class Archive:
    """A release and its name."""

    bytes: bytes
    sha256: str


def build(recording: Path | None = None) -> Archive:
    """The release archive; `recording` is a folder of the user's own that travels with it as `recording/`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, path in sorted(_files(recording)):
            entry = zipfile.ZipInfo(name, _WHEN)
            entry.external_attr, entry.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    content = buffer.getvalue()
    return Archive(content, hashlib.sha256(content).hexdigest())


def _files(recording: Path | None) -> Iterator[tuple[str, Path]]:
    for package in PACKAGES:
        yield from _below(_folder(package), package)
    yield "bootstrap.py", Path(__file__).with_name("bootstrap.py")
    if recording:
        yield from _below(recording, "recording")


def _folder(package: str) -> Path:
    """Where a package's files are. It is found without being imported: its dependencies may not be installed here."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise LookupError(f"{package} is not installed beside sre_agent_deploy")
    return Path(next(iter(spec.submodule_search_locations)))


def _below(folder: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield f"{prefix}/{path.relative_to(folder).as_posix()}", path

"""Install the release: exactly the bytes that machine.json names, unpacked inside one folder."""

from __future__ import annotations

import asyncio
import hashlib
import io
import stat
import sys
import zipfile
from pathlib import Path, PurePosixPath

from embedded_aws.instances.progress import StepFailed
from embedded_aws.instances.services import child
from embedded_aws.world import World
from sre_core.machine import Machine

_LARGEST = 512 * 1024 * 1024


async def install_release(world: World, machine: Machine, folder: Path) -> None:
    """Fetch, verify, unpack into `folder` and byte-compile. Raises StepFailed, and then leaves nothing that can run."""
    archive = world.s3_object(machine.release_uri)
    if archive is None:
        raise StepFailed(f"The release {machine.release_uri} does not exist, or its bucket does not.")
    found = hashlib.sha256(archive).hexdigest()
    if found != machine.release_sha256:
        raise StepFailed(f"The release {machine.release_uri} has SHA-256 {found}, but machine.json asks for {machine.release_sha256}.")
    await asyncio.to_thread(unpack, archive, folder)
    await _compile(folder)


def unpack(archive: bytes, folder: Path) -> None:
    """Unpack a zip. Raises StepFailed, before anything is written, for a damaged zip or an entry outside `folder`."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as release:
            for entry in release.infolist():
                _inside(entry)
            if (size := sum(entry.file_size for entry in release.infolist())) > _LARGEST:
                raise StepFailed(f"The release would unpack to {size} bytes; at most {_LARGEST} are accepted.")
            release.extractall(folder)  # every entry was checked above
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as damaged:
        raise StepFailed("The release is not a zip file that can be read.", str(damaged)) from damaged


def _inside(entry: zipfile.ZipInfo) -> None:
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in entry.filename or stat.S_ISLNK(entry.external_attr >> 16):
        raise StepFailed(f"The release holds the entry {entry.filename!r}, which would be written outside its folder.")


async def _compile(folder: Path) -> None:
    # Five services import the same modules at the same time: compiled once, they start 2-4 times faster.
    async with child(sys.executable, "-I", "-S", "-m", "compileall", "-q", str(folder)) as compiler:
        output, _ = await compiler.communicate()
    if compiler.returncode:
        raise StepFailed("A Python file of the release does not compile.", output.decode("utf-8", "replace"))

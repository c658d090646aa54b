"""Replace files atomically: a reader sees the old file or the new one, also after a crash.

It needs the standard library only: the bootstrap runs before any library is installed.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_USUAL_MODE = 0o644


def write(path: Path, content: bytes, *, mode: int | None = None, owner: tuple[int, int] | None = None) -> None:
    """Replace `path` by `content` at once and durably. See `replace`."""
    with replace(path, mode=mode, owner=owner) as file:
        file.write(content)


@contextmanager
def replace(path: Path, *, mode: int | None = None, owner: tuple[int, int] | None = None) -> Iterator[BinaryIO]:
    """Open a file that replaces `path` when the block ends; an exception leaves `path` as it was, and nothing beside it.

    Without `mode` the permissions of the old file stay. `owner` is a user and a group, which only root can choose.
    Where `path` is a link, the file that it leads to is replaced.
    Until then, only its owner can read the new file.
    """
    path = path.resolve()
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    _delete_leftovers(path, new)
    with os.fdopen(_open_locked(new), "wb") as file:
        try:
            yield file
            file.flush()
            if owner:
                os.fchown(file.fileno(), *owner)
            os.fchmod(file.fileno(), _mode_of(path) if mode is None else mode)
            os.fsync(file.fileno())
            new.replace(path)
        except BaseException:
            # After every end of the writer, Ctrl-C included: half a file is left neither at the path nor beside it.
            new.unlink(missing_ok=True)
            raise
    _sync_folder(path.parent)


def cancel_writers(path: Path) -> None:
    """Delete what other processes have begun to write in place of `path`, so that one that was stopped can't finish when it wakes."""
    for begun in _find_begun(path.resolve()):
        begun.unlink(missing_ok=True)


def _delete_leftovers(path: Path, new: Path) -> None:
    """Delete what killed writers left; the lock of a living one says that it is not left."""
    for begun in _find_begun(path):
        if begun == new:
            continue
        with contextlib.suppress(OSError):
            handle = os.open(begun, os.O_WRONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Its writer may have finished since it was opened, and begun another under the same name.
                if _is_at(handle, begun):
                    begun.unlink()
            finally:
                os.close(handle)


def _find_begun(path: Path) -> list[Path]:
    # Up to November 2026 the name had no process number.
    return [*path.parent.glob(f".{glob.escape(path.name)}.*.new"), *path.parent.glob(f".{glob.escape(path.name)}.new")]


def _open_locked(new: Path) -> int:
    """Open an empty file for one writer of this process at a time; what a killed writer left there is reused."""
    while True:
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if _is_at(handle, new):
                os.fchmod(handle, 0o600)
                os.ftruncate(handle, 0)
                return handle
        except BaseException:
            # Ctrl-C while it waits for the lock too: an open handle would hold the lock until the process ends.
            os.close(handle)
            raise
        # The previous writer renamed or removed this file while we waited for its lock.
        os.close(handle)


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.lstat())
    except FileNotFoundError:
        return False


def _mode_of(path: Path) -> int:
    try:
        return path.stat().st_mode & 0o7777
    except FileNotFoundError:
        return _USUAL_MODE


def _sync_folder(folder: Path) -> None:
    # A rename is durable only when its folder is.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

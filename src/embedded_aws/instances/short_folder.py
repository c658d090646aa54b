"""Create a folder with a short path for sockets, and find it again when the process that created it was killed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "ec2-"
_NOTE = "sockets-in-"


@contextmanager
def short_folder_for(disk: Path, parent: Path | None = None) -> Iterator[Path]:
    """Create a folder of mode 0700 among the temporary files (or in `parent`), and a link to it on this disk."""
    short = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    note = disk / f"{_NOTE}{short.name}"
    note.symlink_to(short)
    try:
        yield short
    finally:
        shutil.rmtree(short, ignore_errors=True)
        note.unlink(missing_ok=True)


def delete_short_folders(tree: Path) -> None:
    """Delete the folders that the links below a folder refer to: the processes that created them are dead."""
    for note in tree.rglob(f"{_NOTE}{_PREFIX}*"):
        # A link refers to the folder of its own name; anything else is not ours.
        if note.is_symlink() and note.name == f"{_NOTE}{note.readlink().name}":
            shutil.rmtree(note.readlink(), ignore_errors=True)

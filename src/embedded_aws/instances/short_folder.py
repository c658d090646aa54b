"""A folder with a short path for sockets, which is found again when the process that made it was killed."""

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
    """A folder of mode 0700 among the temporary files (or in `parent`); a note on this disk says where it is."""
    short = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    note = disk / f"{_NOTE}{short.name}"
    note.symlink_to(short)
    try:
        yield short
    finally:
        shutil.rmtree(short, ignore_errors=True)
        note.unlink(missing_ok=True)


def sweep(tree: Path) -> None:
    """Remove what the notes below a folder lead to: whoever left them is dead."""
    for note in tree.rglob(f"{_NOTE}{_PREFIX}*"):
        # A note leads to the folder of its own name, and nowhere else.
        if note.is_symlink() and note.name == f"{_NOTE}{note.readlink().name}":
            shutil.rmtree(note.readlink(), ignore_errors=True)

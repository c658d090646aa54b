"""Read a configuration file byte for byte, and replace it as a whole or not at all."""

from __future__ import annotations

from codecs import BOM_UTF8
from dataclasses import dataclass
from pathlib import Path

from sre_agent_deploy.config.read_text import read_text
from sre_core import atomic_file
from sre_core.problem import Problem, Refused


@dataclass(frozen=True)
class Original:
    """The content of a file when it was read; `body` is None if there was no file."""

    path: Path
    body: bytes | None

    @property
    def text(self) -> str:
        """The text with its own line ends."""
        return (self.body or b"").removeprefix(BOM_UTF8).decode()


def read(path: Path) -> Original | Problem:
    """Read a file, or explain why it can't be read as a configuration."""
    text = read_text(path)
    return text if isinstance(text, Problem) else Original(path, path.read_bytes())


def read_if_there(path: Path) -> Original | Problem:
    """Read a file; one that does not exist is an Original without a body."""
    return read(path) if path.exists() else Original(path, None)


def replace(original: Original, text: str, *, new_mode: int | None = None) -> None:
    """Put `text` into the file, durably and at once. Its permissions and a link to it stay; a new file gets `new_mode`.

    Raise Refused where that fails, or where another process changed the file meanwhile; it is then as it was.
    """
    path = original.path.resolve()
    mark = BOM_UTF8 if (original.body or b"").startswith(BOM_UTF8) else b""
    try:
        _write(path, mark + text.encode(), original, new_mode if original.body is None else None)
    except OSError as error:
        raise Refused(_not_written(original.path, error)) from error


def _write(path: Path, body: bytes, original: Original, mode: int | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file.replace(path, mode=mode) as file:
        file.write(body)
        if (path.read_bytes() if path.exists() else None) != original.body:
            raise Refused(_changed(original.path))


def _changed(path: Path) -> Problem:
    return Problem(
        code="EDIT-CHANGED",
        what=f"{path} was not written.",
        why="Another process changed it after it was read, and that change would have been lost.",
        do=("Look at the change, then run the same command again: it starts from the current file.",),
    )


def _not_written(path: Path, error: OSError) -> Problem:
    return Problem(
        code="FILE-REFUSED",
        what=f"{path} could not be written.",
        why=error.strerror or type(error).__name__,
        do=(f"Check owner and free space: ls -ld {path.parent}; df -h {path.parent}", "The file is as it was."),
    )

"""Read the text of a configuration file, or explain why it can't be read."""

from __future__ import annotations

from pathlib import Path

from sre_core.nearest import find_nearest
from sre_core.problem import Problem, Where

LARGEST = 256 * 1024
_SUFFIXES = {".yaml", ".yml", ".json"}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read_text(path: Path) -> str | Problem:
    """Read a file as UTF-8 text, without its byte order mark and with `\\n` as line end."""
    try:
        if path.is_dir():
            return _unreadable(path, "It is a folder.", _name_files(path))
        with path.open("rb") as file:
            body = file.read(LARGEST + 1)
    except FileNotFoundError:
        return _missing(path)
    except (OSError, ValueError) as error:
        return _unreadable(
            path, f"{getattr(error, 'strerror', None) or 'Its name is not a valid path'}.", f"Make it readable: chmod u+r {path}"
        )
    if len(body) > LARGEST:
        return _unreadable(
            path, "It is larger than 256 KiB, which no configuration is.", f"Check that this is the configuration: ls -l {path}"
        )
    return _decode(path, body)


def _decode(path: Path, body: bytes) -> str | Problem:
    if body.startswith(_UTF16) or b"\x00" in body:
        offset = 0 if body.startswith(_UTF16) else body.index(b"\x00")
        why = "It is saved as UTF-16." if body.startswith(_UTF16) else "It has a zero byte in it, as programs and archives have."
        return _no_text(path, body[:offset], why)
    try:
        # With one kind of line end, the parser and the excerpts count the same lines.
        return body.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        return _no_text(path, body[: error.start], "This byte is not UTF-8; the file is in another encoding, or is not text.")


def _name_files(folder: Path) -> str:
    """Name the configurations in a folder, as far as their names tell."""
    files = sorted(str(file) for file in folder.iterdir() if file.suffix in _SUFFIXES)
    return f"Name one of its files: {', '.join(files)}" if files else f"Name the file in it, for example {folder / 'config.yaml'}"


def _find_alike(path: Path) -> tuple[str, ...]:
    """Say which file, or which folder, has a name like that of a file that does not exist."""
    folder = path.parent
    if folder.is_dir():
        alike = find_nearest(path.name, (file.name for file in folder.iterdir() if file.suffix in _SUFFIXES))
        return (f"There is {folder / alike}: did you mean that?",) if alike else ()
    above = folder.parent.iterdir() if folder.parent.is_dir() else ()
    alike = find_nearest(folder.name, (file.name for file in above if file.is_dir()))
    return (f"There is no folder {folder}; did you mean {folder.parent / alike}?" if alike else f"There is no folder {folder}.",)


def _missing(path: Path) -> Problem:
    return Problem(
        code="CONFIG-FILE-MISSING",
        what=f"There is no file {path}.",
        why="A deployment needs a configuration file.",
        do=(
            *_find_alike(path),
            f"If you are in the wrong folder, change to the one with {path.name}, or name the file: --config PATH",
            f"To begin, write a commented template: sre-agent-deploy init --output {path}",
            f"Or answer questions: sre-agent-deploy init --interactive --output {path}",
        ),
        where=Where(str(path)),
    )


def _unreadable(path: Path, why: str, do: str) -> Problem:
    return Problem(code="CONFIG-FILE-UNREADABLE", what=f"{path} can't be read.", why=why, do=(do,), where=Where(str(path)))


def _no_text(path: Path, before: bytes, why: str) -> Problem:
    line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
    do = ("Save it as UTF-8 text (in most editors: Save with Encoding > UTF-8).", "Check that the path is the configuration's.")
    return Problem(code="CONFIG-NOT-TEXT", what=f"{path} is not a text file.", why=why, do=do, where=Where(str(path), line, column))

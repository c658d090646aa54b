"""Read a configuration file byte for byte, with its values, comments and line ends, and replace it as a whole or not at all.

Values are rendered in the quotes of the user."""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sre_agent_deploy.config.document import Malformed, Piece, Plain, Scalar, Sequence, Span, Tree, parse, to_plain
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


_EMPTY: tuple[object, ...] = (None, "", [], {})


def replace_tabs(text: str) -> str:
    """Replace tabs by spaces in JSON, which may be indented with them. No character moves."""
    return text.replace("\t", " ") if text.lstrip().startswith("{") else text


def read_values(text: str) -> Plain | Malformed | None:
    """Read the values of a text. Empty values are left out, as the loader does."""
    tree = parse(replace_tabs(text))
    return tree if isinstance(tree, Malformed) else _convert(tree)


def _convert(tree: Tree) -> Plain | None:
    match tree:
        case Scalar() | Sequence():
            return to_plain(tree)
        case _:
            pairs = ((entry.key, _convert(entry.value)) for entry in tree.entries)
            return {name: value for name, value in pairs if value is not None and value not in _EMPTY}


def change_values(data: Plain | None, path: tuple[str, ...], value: Plain) -> Plain:
    """Compute the expected values after one was put at `path`."""
    step, *deeper = path
    result = dict(data) if isinstance(data, dict) else {}
    new = change_values(result.get(step), tuple(deeper), value) if deeper else _drop_empty(value)
    result.pop(step, None)
    return result if new in _EMPTY else {**result, step: new}


def _drop_empty(value: Plain) -> Plain:
    match value:
        case list(items):
            return [_drop_empty(item) for item in items if item != ""]
        case dict(entries):
            return {name: _drop_empty(item) for name, item in entries.items() if item not in _EMPTY}
        case _:
            return value


_COMMENT = re.compile(r"(?:(?<=\s)|^)#[^\r\n]*")


def find_comments(text: str, pieces: Iterable[Piece]) -> tuple[Span, ...]:
    """Find the comments of a text, in its order."""
    return tuple(Span(found.start(), found.end()) for found in _COMMENT.finditer(_blank_values(text, pieces)))


def find_comments_within(text: str, piece: Piece, pieces: tuple[Piece, ...]) -> tuple[str, ...]:
    """Find the comments that would be lost if this value were removed."""
    if piece.kind == "scalar":
        return ()
    end = text.find("\n", piece.value.end) if not piece.flow else piece.value.end
    within = Span(piece.value.start, end if end >= 0 else len(text))
    return tuple(text[found.start : found.end] for found in find_comments(text, pieces) if within.start <= found.start < within.end)


def _blank_values(text: str, pieces: Iterable[Piece]) -> str:
    """Blank out every key and scalar; no character moves."""
    parts = list(text)
    for piece in pieces:
        for span in (piece.key, piece.value if piece.kind == "scalar" else None):
            if span:
                parts[span.start : span.end] = "_" * (span.end - span.start)
    return "".join(parts)


def find_newline(text: str) -> str:
    """Find the line end that a text uses."""
    return "\r\n" if "\r\n" in text else "\n"


# Words, paths, ARNs and ${NAME} need no quotes in a block; between brackets and braces, fewer characters are free.
_PLAIN = re.compile(r"[A-Za-z0-9_./$](?:[\w./+=@~%${}:*-]|(?<![:\s]) (?=[\w./$]))*(?<!:)", re.ASCII)
_PLAIN_IN_FLOW = re.compile(r"[A-Za-z0-9_./][\w./+=@-]*", re.ASCII)
# An account ID is no number; other programs that read YAML would make one of it, and editors would object.
_LONG_NUMBER = re.compile(r"0\d+|\d{9,}", re.ASCII)
_NOT_TEXT = frozenset({"null", "Null", "NULL", "~", ""})


def render_scalar(text: str, *, quote: str = "", flow: bool = False) -> str:
    """Render a text so that the loader reads exactly the same again."""
    if quote == "'" and text.isprintable() and text:
        return "'" + text.replace("'", "''") + "'"
    unquoted = (_PLAIN_IN_FLOW if flow else _PLAIN).fullmatch(text) and text not in _NOT_TEXT and not _LONG_NUMBER.fullmatch(text)
    if unquoted and quote != '"':
        return text
    return quote_text(text)


def quote_text(text: str) -> str:
    """Put a text between double quotes, which YAML and JSON read alike."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def render_value(plain: Plain, *, quote: str = "", flow: bool = False, strict: bool = False) -> str:
    """Render a scalar, or a list or mapping on one line. `strict` is JSON, where everything is quoted."""
    match plain:
        case str(text):
            return quote_text(text) if strict else render_scalar(text, quote=quote, flow=flow)
        case list(items):
            return "[" + ", ".join(render_value(item, flow=True, strict=strict) for item in items) + "]"
        case dict(entries):
            pairs = (
                f"{render_key(name, flow=True, strict=strict)}: {render_value(item, flow=True, strict=strict)}"
                for name, item in entries.items()
            )
            return "{" + ", ".join(pairs) + "}"


def render_key(name: str, *, flow: bool = False, strict: bool = False) -> str:
    """Render a key as it is written before its colon."""
    return quote_text(name) if strict else render_scalar(name, flow=flow)


def parse_path(key: str) -> tuple[str, ...]:
    """Parse `deployment.instance_type` into a path; a tag's own key keeps its dots."""
    section, dot, rest = key.partition(".")
    if section == "tags" and dot:
        return (section, rest)
    return tuple(key.split("."))


def parse_value(text: str) -> Plain:
    """Parse a list or mapping as YAML; take everything else as text."""
    tree = parse(text) if text.lstrip().startswith(("[", "{")) else None
    value = None if tree is None or isinstance(tree, Malformed) else to_plain(tree)
    return text if value is None else value

"""Read the settings of one old file, each with its comments (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sre_agent_deploy.config.document import Entry, Malformed, Mapping, Piece, Plain, find_pieces, parse, to_plain
from sre_agent_deploy.config.environment import comment_beside, read_dotenv
from sre_agent_deploy.edit.file import find_comments, replace_tabs
from sre_core.problem import Problem, Where


@dataclass(frozen=True, kw_only=True, eq=False)
class Setting:
    """`name` with its value; `above` are the comment lines before it, `beside` the comment behind it."""

    source: str
    name: str
    value: Plain
    above: tuple[str, ...] = ()
    beside: str = ""
    written: str = ""
    """The lines as they are in the file, comments included."""
    quote: str = ""
    """The quotes that the user wrote around the value."""


@dataclass(frozen=True)
class OldFile:
    """The content of an old file: its settings in order, and the comments behind the last of them."""

    source: str
    settings: tuple[Setting, ...]
    below: tuple[str, ...] = ()


def read_yaml(source: str, text: str) -> OldFile | Problem:
    """Read the top-level keys of a YAML or JSON file."""
    text = replace_tabs(text)
    tree = parse(text)
    if isinstance(tree, Malformed):
        return unreadable(source, tree.mark.line, "It is not valid YAML.")
    if not isinstance(tree, Mapping):
        return unreadable(source, 1, "It holds no `key: value` lines.")
    pieces = find_pieces(text)
    top = [piece for piece in pieces if len(piece.path) == 1]
    settings, done = [], 0
    for entry, piece in zip(tree.entries, top, strict=True):
        end = _find_line_end(text, piece.value.end)
        settings.append(_build_setting(source, entry, piece, text[done:end], _split_comments(text, pieces, done, end, piece)))
        done = end
    return OldFile(source, tuple(settings), tuple(_split_comments(text, pieces, done, len(text), None)[0]))


def read_dotenv_file(source: str, text: str) -> OldFile | Problem:
    """Read the NAME=value lines of a `.env` file, or of a file that scripts read with `source`."""
    settings: list[Setting] = []
    above: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            above.extend([line.strip()] if line.strip() else [])
            continue
        variables, faults = read_dotenv(line)
        if faults:
            return unreadable(source, number, faults[0].why)
        ((name, value),) = variables.items()
        beside = comment_beside(line)
        settings.append(Setting(source=source, name=name, value=value, above=tuple(above), beside=beside, written=line.strip()))
        above = []
    return OldFile(source, tuple(settings), tuple(above))


def _build_setting(source: str, entry: Entry, piece: Piece, written: str, notes: tuple[list[str], str]) -> Setting:
    value = to_plain(entry.value)
    return Setting(
        source=source,
        name=entry.key,
        value="" if value is None else value,
        above=tuple(notes[0]),
        beside=notes[1],
        written=written.strip("\n"),
        quote=piece.quote if piece.quote in ("'", '"') else "",
    )


def _split_comments(text: str, pieces: tuple[Piece, ...], start: int, end: int, piece: Piece | None) -> tuple[list[str], str]:
    """Split the comments of one range into those above or within the value, and the one behind it."""
    above, beside = [], ""
    for span in find_comments(text, pieces):
        if start <= span.start < end:
            if piece and span.start >= piece.value.end:
                beside = text[span.start : span.end]
            else:
                above.append(text[span.start : span.end])
    return above, beside


def _find_line_end(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end + 1


def walk_texts(value: Plain) -> Iterator[str]:
    """Yield every text in a value."""
    match value:
        case str(text):
            yield text
        case list(items):
            for item in items:
                yield from walk_texts(item)
        case dict(entries):
            for item in entries.values():
                yield from walk_texts(item)


def unreadable(source: str, line: int, why: str) -> Problem:
    """Build the problem of a line that can't be read, without an excerpt: old files hold secrets."""
    return Problem(
        code="MIGRATE-UNREADABLE",
        what=f"{source} can't be read.",
        why=why,
        do=("Correct that line, or leave the file out: sre-agent-deploy migrate OTHER-FILE ...", "Nothing was changed."),
        where=Where(source, line),
    )

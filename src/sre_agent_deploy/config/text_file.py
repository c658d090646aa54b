"""The file of a configuration: read its text, explain why that can't be read or parsed, and replace the file as a whole or not at all."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from dataclasses import dataclass
from pathlib import Path

from sre_agent_deploy.config import Fault, Mark
from sre_agent_deploy.config.document import Malformed
from sre_core import atomic_file
from sre_core.nearest import find_nearest
from sre_core.problem import Problem, Refused, Where

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


@dataclass(frozen=True)
class Explanation:
    """The explanation of one kind of parser message. With `at_start` the caret is where the broken value began."""

    pattern: str
    why: str
    do: tuple[str, ...]
    at_start: bool = False


YAML_EXPLANATIONS = (
    Explanation(r"character '\\t'", "YAML is indented with spaces; here is a tab.", ("Replace the tab by spaces.",)),
    Explanation(
        r"unexpected end of stream \(while scanning a quoted",
        "The quote that opens here is never closed.",
        ("Close it with the same quote at the end of the value.",),
        at_start=True,
    ),
    Explanation(
        r"character '[@`%]'",
        "A value can't begin with this character unless it is quoted.",
        ('Put the value in quotes: "..."',),
    ),
    Explanation(
        r"but got '\{'|but got '\}'",
        "Inside { } and [ ] a value with braces, such as ${NAME}, must be quoted.",
        ('Put it in quotes: "${NAME}"',),
    ),
    Explanation(r"expected ',' or ']'", "The list that opens here with [ is not closed.", ("Close it with ]",), at_start=True),
    Explanation(r"expected ',' or '}'", "The mapping that opens here with { is not closed.", ("Close it with }",), at_start=True),
    Explanation(
        r"unknown escape",
        "Between double quotes a backslash begins an escape, and this is none that YAML knows.",
        ("Use single quotes, or write the backslash twice.",),
    ),
    Explanation(
        r"could not find expected ':'",
        "This line has neither a colon after its key nor a place in what is above it.",
        ("Write it as `key: value`, with a space after the colon.",),
        at_start=True,
    ),
    Explanation(
        r"expected <block end>, but found '<scalar>'",
        "There is text after the closing quote.",
        ("Quote the whole value once; a ' inside single quotes is written twice.",),
    ),
    Explanation(
        r"expected <block end>, but found '-'",
        "There is a list item where a key is expected.",
        ("Indent all items of the list alike, below their key.",),
    ),
    Explanation(
        r"expected <block end>, but found '\?'",
        "A list and `key: value` pairs can't be mixed on one level.",
        ("Remove the dash, or put the keys below one.",),
    ),
    Explanation(
        r"expected <block end>",
        "This line is indented less than the lines above it, yet more than the key they belong to.",
        ("Indent every key of a section by the same number of spaces.",),
    ),
    Explanation(r"sequence entries", "A list item begins in the middle of a line.", ("Write it on a line of its own, or use [a, b].",)),
    Explanation(
        r"node content, but found", "A value is missing before this character.", ("Remove the character, or write the value before it.",)
    ),
    Explanation(
        r"another document|single document",
        "A second document begins here (`---` or text after `...`).",
        ("Keep one document in the file.",),
    ),
    Explanation(
        r"^anchor|alias", "Anchors (&) and aliases (*) are not used here.", ("Write the value out, or quote it if it begins with & or *.",)
    ),
    Explanation(r"^tag", "Tags (!) are not used here.", ("Write the value without the tag, or quote it if it begins with !.",)),
    Explanation(r"no text|mapping keys", "A key must be a plain name.", ("Write `key: value`.",)),
    Explanation(
        r"special characters",
        "Here is a control character, as in a file that is not plain text.",
        ("Remove it; check that the file is really a configuration.",),
    ),
    Explanation(r"too deeply", "It is nested more deeply than any configuration.", ("Remove the inner levels.",)),
)
UNEXPLAINED_YAML = Explanation("", "YAML's rules are broken here.", ("Compare this line with the template.",))


def explain_yaml_error(malformed: Malformed, text: str) -> Fault:
    """Explain why a text is not valid YAML."""
    if "mapping values are not allowed" in malformed.says:
        return _misplaced_colon(malformed, text)
    found = next((known for known in YAML_EXPLANATIONS if re.search(known.pattern, malformed.says)), UNEXPLAINED_YAML)
    mark = malformed.opened if found.at_start else malformed.mark
    return Fault(code="CONFIG-SYNTAX", path=(), what="This is not valid YAML.", why=found.why, do=found.do, mark=mark)


def _misplaced_colon(malformed: Malformed, text: str) -> Fault:
    """Explain a misplaced colon: a second one in the line, a line above without one, or a line indented too far."""
    lines = text.splitlines()
    here = lines[malformed.mark.line - 1]
    before = list(enumerate(lines[: malformed.mark.line - 1], start=1))
    number, above = next((row for row in reversed(before) if row[1].strip() and not row[1].strip().startswith("#")), (1, ""))
    mark = Mark(number, len(above) - len(above.lstrip()) + 1, len(above.strip()))
    if re.match(r"\s*[\w-]+:\s", here[: malformed.mark.column - 1] + " "):
        why, do = "A value with a colon and a space in it must be quoted.", ('Put the value in quotes: "a: b"',)
        mark = malformed.mark
    elif ":" not in above:
        why, do = "This line has no colon, so the one below can't belong to it.", ("Write it as `key:` or `key: value`.",)
    elif not re.search(r":\s", above + " ") or re.match(r"\s*[\w-]+:\S", above):
        why, do = "No space follows the colon, so this is one word and not a key.", ("Write it as `key: value`.",)
    else:
        why, do = (
            "This line is indented more than the key above it, which already has a value.",
            ("Indent it like the other keys of its section.",),
        )
        mark = malformed.mark
    return Fault(code="CONFIG-SYNTAX", path=(), what="This is not valid YAML.", why=why, do=do, mark=mark)


JSON_EXPLANATIONS = {
    "Expecting property name enclosed in double quotes": (
        "A key in double quotes is expected here; JSON has no comma after the last entry, no single quotes and no comments.",
        'Write "key": value, and remove a comma before }',
    ),
    "Illegal trailing comma before end of object": ("JSON has no comma after the last entry.", "Remove this comma."),
    "Illegal trailing comma before end of array": ("JSON has no comma after the last item.", "Remove this comma."),
    "Expecting ',' delimiter": ("Two entries have no comma between them, or a bracket is not closed.", "Write a comma before this."),
    "Expecting ':' delimiter": ("After a key there is a colon.", 'Write "key": value'),
    "Expecting value": (
        "A value is missing or not quoted here.",
        'Write it in double quotes: "..."',
    ),
    "Unterminated string starting at": ("The quote that opens here is never closed.", 'Close it with "'),
    "Invalid control character at": (
        "The quote is not closed before the line ends, or there is a tab inside a text.",
        r"Close it with a quote, or write \n or \t",
    ),
    "Invalid \\escape": ("This backslash begins an escape that JSON does not know.", r"Write the backslash twice: \\"),
    "Extra data": ("The JSON ends before this.", "Remove what follows the last }"),
}
UNEXPLAINED_JSON = ("JSON's rules are broken here.", "Compare this line with the template, or use YAML.")


def find_json_fault(text: str) -> Fault | None:
    """Explain why a text is not valid JSON; None if it is."""
    import json

    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        why, do = JSON_EXPLANATIONS.get(error.msg.rstrip(": "), UNEXPLAINED_JSON)
        mark = Mark(error.lineno, error.colno)
        return Fault(code="CONFIG-SYNTAX", path=(), what="This is not valid JSON.", why=why, do=(do,), mark=mark)
    except (RecursionError, ValueError):  # ValueError: a number of more digits than Python reads
        mark = Mark(1, 1)
        why, do = "It is nested more deeply, or has longer numbers, than any configuration.", "Remove that part."
        return Fault(code="CONFIG-SYNTAX", path=(), what="This is not valid JSON.", why=why, do=(do,), mark=mark)
    return None

"""Hide secrets, so that a backup can leave this machine: those that were written into a configuration, and the values of its .env file."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass

from sre_agent_deploy.config import FieldPath, format_path
from sre_agent_deploy.config.document import Malformed, Span, find_pieces, parse
from sre_agent_deploy.config.edit import Difference, find_comments, replace_tabs
from sre_agent_deploy.config.environment import SecretReference, comment_beside, read_dotenv
from sre_agent_deploy.config.models import Config
from sre_core.redaction import CERTAIN_SECRET, HIDDEN, NOTED_SECRET, POSSIBLE_SECRET, is_secret_name, redact_line

_HEX = re.compile(r"[0-9a-fA-F]+")


@dataclass(frozen=True)
class Hidden:
    """A text in which each secret is ***, and the names of the hidden places."""

    text: str
    where: tuple[str, ...]


def hide_secrets(text: str) -> Hidden:
    """Hide secrets: values of secret keys, values that look like a secret, and those in comments."""
    if isinstance(parse(replace_tabs(text)), Malformed):
        lines = text.split("\n")
        where = tuple(f"line {number}" for number, line in enumerate(lines, start=1) if redact_line(line) != line)
        return Hidden("\n".join(map(redact_line, lines)), where)
    found = sorted(_find_secrets(text), key=lambda each: each[0].start)
    shown, done = [], 0
    for span, _ in found:
        shown.append(text[done : span.start] + HIDDEN)
        done = span.end
    return Hidden("".join(shown) + text[done:], tuple(dict.fromkeys(name for _, name in found)))


def restore_hidden_lines(theirs: str, mine: str) -> str:
    """Put hidden lines back from `mine`, if it has the same lines."""
    known = dict(zip(hide_secrets(mine).text.split("\n"), mine.split("\n"), strict=False))
    return "\n".join(known.get(line, line) if HIDDEN in line else line for line in theirs.split("\n"))


def _find_secrets(text: str) -> Iterator[tuple[Span, str]]:
    pieces = find_pieces(replace_tabs(text))
    for piece in pieces:
        written = text[piece.value.start : piece.value.end]
        if piece.kind == "scalar" and _is_secret(piece.path, written):
            yield piece.value, redact_line(format_path(piece.path))
        if piece.key and CERTAIN_SECRET.search(name := text[piece.key.start : piece.key.end]):
            yield piece.key, redact_line(name)
    for span in find_comments(text, pieces):
        line = text.count("\n", 0, span.start) + 1
        yield from ((inner, f"a comment in line {line}") for inner in find_secrets_in_comment(text[span.start : span.end], span.start))


def _is_secret(path: FieldPath, written: str) -> bool:
    if CERTAIN_SECRET.search(written):
        return True
    if not written or SecretReference.parse(written.strip("\"'")):
        return False
    # In a known section a long word is a name or a path; elsewhere it may be a secret, and it is no valid setting anyway.
    stranger = not path or path[0] not in Config.model_fields
    named = any(is_secret_name(str(step)) for step in path)
    return named or (stranger and bool(POSSIBLE_SECRET.search(written)))


def find_secrets_in_comment(comment: str, start: int) -> Iterator[Span]:
    """Find what may be a secret in a comment that begins at `start` in its text."""
    noted = NOTED_SECRET.search(comment)
    if noted and not SecretReference.parse(noted["value"]):
        yield Span(start + noted.start("value"), start + noted.end("value"))
        comment = comment[: noted.start("value")]
    for pattern in (CERTAIN_SECRET, POSSIBLE_SECRET):
        for found in pattern.finditer(comment):
            if not _HEX.fullmatch(found[0]):  # a checksum or a commit is not a secret
                yield Span(start + found.start(), start + found.end())
        comment = pattern.sub(lambda found: "_" * len(found[0]), comment)


IN_DOTENV = ".env"
"""The first step of the path of a difference in a .env file; the second is the variable."""


def hide_in_dotenv(text: str, settings: Container[str]) -> Hidden:
    """Hide the value of every variable in a .env file except `settings`, and what may be a secret anywhere in it."""
    lines, where = [], []
    for number, line in enumerate(text.splitlines(), start=1):
        variables, faults = read_dotenv(line)
        name, value = next(iter(variables.items()), ("", ""))
        if faults or (name and not _is_setting(name, value, settings)):
            lines.append(f"{name}={HIDDEN}  {_hide_in_comment(comment_beside(line))}".rstrip() if name else f"# {HIDDEN}")
            where.append(name or f"line {number} of .env")
        else:
            lines.append(_hide_in_comment(line))
    return Hidden("".join(f"{line}\n" for line in lines), tuple(where))


def _is_setting(name: str, value: str, settings: Container[str]) -> bool:
    return name in settings and not (is_secret_name(name) or CERTAIN_SECRET.search(value) or POSSIBLE_SECRET.search(value))


def _hide_in_comment(line: str) -> str:
    for span in sorted(find_secrets_in_comment(line, 0), key=lambda span: span.start, reverse=True):
        line = line[: span.start] + HIDDEN + line[span.end :]
    return line


def compare_dotenv(mine: str, theirs: str) -> tuple[Difference, ...]:
    """List the variables that have two values; one that is on one side only is no conflict."""
    ours, others = read_dotenv(mine)[0], read_dotenv(theirs)[0]
    both = [name for name in others if name in ours and others[name] not in (HIDDEN, ours[name])]
    return tuple(Difference((IN_DOTENV, name), ours[name], others[name]) for name in both)


def merge_dotenv(mine: str, theirs: str, *, add: Container[str], take: Container[str]) -> str:
    """Add variables of `theirs` that `mine` lacks, and take their value for others. A value that is replaced stays as a comment."""
    if not mine.strip():
        return "".join(f"{_without_hidden_value(line)}\n" for line in theirs.splitlines())
    lines = mine.splitlines()
    current = read_dotenv(mine)[0]
    for name, value, written in _split_entries(theirs):
        if value == HIDDEN or current.get(name) == value:
            continue
        if name in current and name in take:
            lines = [new for line in lines for new in ((f"# {line}", written[-1]) if name in read_dotenv(line)[0] else (line,))]
        elif name not in current and name in add:
            lines += written
    return mine if lines == mine.splitlines() else "".join(f"{line}\n" for line in lines)


def _without_hidden_value(line: str) -> str:
    hidden = HIDDEN in read_dotenv(line)[0].values()
    return f"# {line}  (may be a secret, so it is not in the backup)" if hidden else line


def _split_entries(text: str) -> Iterator[tuple[str, str, list[str]]]:
    """Yield each variable with its value and its lines: itself, and the comments directly above it."""
    above: list[str] = []
    for line in text.splitlines():
        variables = read_dotenv(line)[0]
        for name, value in variables.items():
            yield name, value, [*above, line]
        above = [*above, line] if line.lstrip().startswith("#") else []

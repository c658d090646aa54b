"""Keep the settings of a .env file in a backup, and merge them into an existing .env file (pure)."""

from __future__ import annotations

from collections.abc import Container, Iterator

from sre_agent_deploy.backup.conflict import Difference
from sre_agent_deploy.backup.hiding import Hidden, find_secrets_in_comment
from sre_agent_deploy.config.environment import comment_beside, read_dotenv
from sre_core.redaction import CERTAIN_SECRET, HIDDEN, POSSIBLE_SECRET, is_secret_name

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

"""A `.env` file: NAME=value lines, as shells and other tools read them."""

from __future__ import annotations

import re

from sre_agent_deploy.config.fault import Fault, Mark

_LINE = re.compile(r"(export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?P<value>'[^']*'|\"(\\.|[^\"\\])*\"|[^#'\"\s][^#]*?|)\s*(\s#.*)?")


def read_dotenv(text: str) -> tuple[dict[str, str], tuple[Fault, ...]]:
    """The variables of a `.env` file, and a fault for each line that is none. Values are never part of a fault."""
    variables: dict[str, str] = {}
    faults: list[Fault] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match:
            variables[match["name"]] = _unquoted(match["value"])
        else:
            faults.append(_malformed(number))
    return variables, tuple(faults)


def _unquoted(value: str) -> str:
    if value.startswith('"'):
        return re.sub(r"\\(.)", lambda escape: "\n" if escape[1] == "n" else escape[1], value[1:-1])
    return value[1:-1] if value.startswith("'") else value


def _malformed(number: int) -> Fault:
    return Fault(
        code="CONFIG-DOTENV",
        path=(),
        what="A line of the .env file can't be read.",
        why="It is neither NAME=value nor a comment, or its quote is not closed.",
        do=("Write NAME=value, with quotes around a value that has spaces or # in it.",),
        mark=Mark(number, 1),
    )

"""What kinds of events records tell of, by their words; one record may be of several kinds."""

from __future__ import annotations

import re
from typing import Literal, get_args

from sre_services.logs.model import LogRecord

# Not a `type` statement: pydantic would refer to it as a schema of its own, which AgentCore need not find.
Kind = Literal[
    "all", "error", "warning", "timeout", "connection", "out_of_memory", "startup", "shutdown", "http_5xx", "dns", "garbage_collection"
]
NAMES: tuple[str, ...] = get_args(Kind)

_WORDS = {
    "timeout": r"time[d-]?\s?-?out|deadline exceeded",
    "connection": r"connection|connect\b|dial tcp|refused|reset by peer|broken pipe|unreachable",
    "out_of_memory": r"out of memory|\boom\b|oomkill|outofmemory|cannot allocate",
    "startup": r"\bstart(?:ing|ed|up)\b|listening on|\bready\b",
    "shutdown": r"shutting down|shutdown|sigterm|terminat|exiting",
    "http_5xx": r"\b50[0234]\b|\bstatus[=: ]+5\d\d\b",
    "dns": r"no such host|name resolution|nxdomain|\blookup\b",
    "garbage_collection": r"\bgc\b|garbage|heap",
}
_EXPRESSIONS = {kind: re.compile(words, re.IGNORECASE) for kind, words in _WORDS.items()}


def is_kind(kind: str, line: LogRecord) -> bool:
    """True when the record is of this kind."""
    if kind == "all":
        return True
    if kind == "error":
        return line.level in ("ERROR", "FATAL")
    if kind == "warning":
        return line.level == "WARN"
    return bool(_EXPRESSIONS[kind].search(line.message[:2_000]))

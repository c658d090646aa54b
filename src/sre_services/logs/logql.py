"""Write queries in LogQL that let Loki leave out most of what a filter does not want (pure).

The filter is applied again to what comes: LogQL can't look for a pattern in the text or in a label, nor read a level as we do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from sre_services.logs.model import LogFilter

# The words of each level, as `kubectl_lines.parse_level` reads them.
WORDS = {
    "FATAL": ("FATAL", "CRITICAL", "PANIC"),
    "ERROR": ("ERROR", "SEVERE"),
    "WARN": ("WARN", "WARNING"),
    "INFO": ("INFO", "NOTICE"),
    "DEBUG": ("DEBUG", "TRACE"),
}


def write_query(where: LogFilter, services: Sequence[str], label: str) -> str:
    """Write the query for the records of some services, which the label `label` names."""
    names = "|".join(re.escape(name) for name in services)
    selector = f"{{{label}=~{_quote(names)}}}"
    return " ".join((selector, *_line_filters(where)))


def _line_filters(where: LogFilter) -> Iterator[str]:
    if where.levels and where.levels <= WORDS.keys():
        words = [word for level in sorted(where.levels) for word in WORDS[level]]
        yield f"|~ {_quote(f'(?i)({"|".join(words)})')}"
    if where.expression:
        yield f"|~ {_quote(f'(?i)({where.expression})')}"


def _quote(text: str) -> str:
    """Write a string of LogQL, which is one of Go; JSON's escapes are among its own."""
    return json.dumps(text, ensure_ascii=False)

"""Write queries of CloudWatch Logs Insights that leave out most of what a filter does not want (pure).

The filter is applied again to what comes: Insights sees a record as it was sent, often as JSON, and does not read a level as we do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from sre_services.logs.logql import WORDS
from sre_services.logs.model import LogFilter

MOST_RESULTS = 10_000
# StartQuery refuses a query of more than 10,000 characters.
_LONGEST_NAMES = 8_000
POD = "kubernetes.pod_name"
# In JSON a record's other characters are written in another way, so that a pattern with them would not be found.
_PLAIN = re.compile(r"[\w .|*-]+", re.ASCII)


def write_query(where: LogFilter, limit: int, label: str = "", names: Sequence[str] = ()) -> str:
    """Write the query for the newest records that match. `names` limits it to these values of `label`, if they are not too many."""
    fields = ["@timestamp", "@message", "@logStream", "@log", POD, *([quote_field(label)] if label and label != POD else [])]
    listed = ", ".join(map(json.dumps, names))
    wanted = [f"filter {quote_field(label)} in [{listed}]"] if label and names and len(listed) < _LONGEST_NAMES else []
    return " | ".join([f"fields {', '.join(fields)}", *wanted, *_filters(where), "sort @timestamp desc", f"limit {limit}"])


def write_names_query(label: str) -> str:
    """Write the query for all values of a field."""
    return f"stats count(*) as records by {quote_field(label)} | limit {MOST_RESULTS}"


def _filters(where: LogFilter) -> Iterator[str]:
    if where.levels and where.levels <= WORDS.keys():
        yield _like("|".join(word for level in sorted(where.levels) for word in WORDS[level]))
    if where.expression:
        # An escaped line break before a word hides where it begins.
        yield _like(where.expression.replace(r"\b", ""))
    # A pattern that is looked for as plain text would be an expression there.
    text = where.pattern.text if where.pattern and not where.pattern.note else ""
    if text and _PLAIN.fullmatch(text):
        expression = f"/(?i)({text})/"
        yield f"filter @message like {expression} or @logStream like {expression} or @log like {expression}"


def _like(expression: str) -> str:
    return f"filter @message like /(?i)({expression.replace('/', chr(92) + '/')})/"


def quote_field(name: str) -> str:
    """Write the name of a field; one with other characters than letters, digits, dots and @ is put in backticks."""
    return name if re.fullmatch(r"@?[A-Za-z_][\w.]*", name) else f"`{name}`"

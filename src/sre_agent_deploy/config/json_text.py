"""JSON's own syntax errors; a JSON text without them is read as YAML, of which it is a part."""

from __future__ import annotations

from sre_agent_deploy.config.fault import Fault, Mark

EXPLANATIONS = {
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
        "The quote is not closed before the line ends, or a tab stands inside a text.",
        r"Close it with a quote, or write \n or \t",
    ),
    "Invalid \\escape": ("This backslash begins an escape that JSON does not know.", r"Write the backslash twice: \\"),
    "Extra data": ("The JSON ends before this.", "Remove what follows the last }"),
}
UNEXPLAINED = ("JSON's rules are broken here.", "Compare this line with the template, or use YAML.")


def json_fault(text: str) -> Fault | None:
    """The fault of a text that is no JSON, or None."""
    import json

    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        why, do = EXPLANATIONS.get(error.msg.rstrip(": "), UNEXPLAINED)
        mark = Mark(error.lineno, error.colno)
        return Fault(code="CONFIG-SYNTAX", path=(), what="This is not valid JSON.", why=why, do=(do,), mark=mark)
    except (RecursionError, ValueError):  # ValueError: a number of more digits than Python reads
        mark = Mark(1, 1)
        why, do = "It is nested more deeply, or has longer numbers, than any configuration.", "Remove that part."
        return Fault(code="CONFIG-SYNTAX", path=(), what="This is not valid JSON.", why=why, do=(do,), mark=mark)
    return None

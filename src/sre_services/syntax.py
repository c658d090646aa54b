"""Valid parameters, as patterns that documents and services share: a caller learns what is wrong from the document, or from the refusal."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import AfterValidator

_YEAR = "(?:19|20|21)[0-9]{2}"
_DAY = (
    f"(?:{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    "|(?:(?:19|20|21)(?:0[48]|[2468][048]|[13579][26])|2000)-02-29)"
)
_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]{1,9})?)?(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])?"
_DURATION = "(?:-|[Ll][Aa][Ss][Tt] )? *[0-9]{1,6} *[smhdwSMHDW][A-Za-z]*"
_MOMENT = f"(?:[Nn][Oo][Ww]|{_DURATION}|{_DAY}(?:[T ]{_CLOCK})?)"


@dataclass(frozen=True)
class Syntax:
    """A pattern of a whole value, and the words that explain it. An empty value is one that is left out."""

    pattern: str
    says: str

    @property
    def schema(self) -> dict[str, str]:
        """Return it for a JSON Schema."""
        return {"pattern": f"^(?: *|{self.pattern})$"}

    @property
    def required_schema(self) -> dict[str, str]:
        """Return it for the JSON Schema of a value that can't be left out."""
        return {"pattern": f"^(?:{self.pattern})$"}

    def check(self, text: str) -> str:
        """Return the text without spaces around it. Raises ValueError where it is something else."""
        if text.strip(" ") and not re.fullmatch(self.pattern, text):
            raise ValueError(f"{text.strip()[:40]!r} is not {self.says}")
        return text.strip(" ")

    @property
    def validator(self) -> AfterValidator:
        """Return it for a parameter."""
        return AfterValidator(self.check)


MOMENT = Syntax(f" *{_MOMENT} *", "a time: write a duration such as 15m or 2h, or ISO 8601 such as 2026-11-22T14:35:40Z")
SPAN = Syntax(f" *{_MOMENT} *(?:/ *(?:{_MOMENT} *)?)?", f"{MOMENT.says}, or two of them with a slash between")
NAME = Syntax(" *[A-Za-z0-9_](?:[A-Za-z0-9_.:@/ -]*[A-Za-z0-9_.:@/-])? *", "a name: letters, digits and . - _ : @ /")
NAMESPACE = Syntax(" *[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])? *", "a namespace: letters, digits and -")
WORDS = Syntax(r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*", "plain text: it has control characters")
CURSOR = Syntax(" *[0-9]{1,5}-[0-9a-f]{8}-[0-9]{1,13}-[0-9a-f]{4} *", "a cursor: leave it out, or give the one of the answer before")

"""Hide text from a language model: secrets always, and what the settings name besides."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sre_core.redaction import HIDDEN, redact

_ADDRESS = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b|\b(?:[0-9a-fA-F]{1,4}:){4,7}[0-9a-fA-F]{1,4}\b")


@dataclass(frozen=True)
class Privacy:
    """Patterns that are hidden from a model, and whether IP addresses are."""

    hide: tuple[re.Pattern[str], ...] = ()
    addresses: bool = False

    def hide_in(self, text: str) -> str:
        """Hide in a text everything that a model must not see."""
        text = redact(text)
        for pattern in (*self.hide, *((_ADDRESS,) if self.addresses else ())):
            text = pattern.sub(HIDDEN, text)
        return text

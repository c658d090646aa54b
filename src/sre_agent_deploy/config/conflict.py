"""Compare two configurations, and list the values in which they differ (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from sre_agent_deploy.config.document import Plain
from sre_agent_deploy.config.edit import render_value
from sre_agent_deploy.config.environment import SecretReference
from sre_agent_deploy.config.fault import format_path
from sre_core.redaction import HIDDEN, is_secret_name, redact_line

type Choice = Literal["mine", "theirs", "abort"]
type Field = tuple[str, ...]
LAYOUT: Field = ()
"""The path of a difference that is in comments, order or formatting alone."""


@dataclass(frozen=True)
class Difference:
    """One field with its two values; None if a side has none."""

    field: Field
    mine: Plain | None
    theirs: Plain | None

    @property
    def name(self) -> str:
        if self.field[:1] == (".env",):
            return f"{self.field[1]} in .env"
        return redact_line(format_path(self.field)) if self.field else "comments, order and formatting"

    def show(self) -> tuple[str, str]:
        """Render both values as text, without secrets."""
        if not self.field:
            return "as they are in the file", "as they are in the other"
        return self._show(self.mine), self._show(self.theirs)

    def _show(self, plain: Plain | None) -> str:
        if plain is None:
            return "(not set)"
        text = render_value(plain)
        secret = any(map(is_secret_name, self.field)) and not SecretReference.parse(text)
        return HIDDEN if secret else redact_line(text)


class Chooser(Protocol):
    """The decision for each difference: of the user at a terminal, or of the --conflict option."""

    def __call__(self, difference: Difference, /) -> Choice: ...


def compare(mine: Plain | None, theirs: Plain | None) -> tuple[Difference, ...]:
    """List every field in which two configurations differ, in the order of mine, then of theirs."""
    ours, others = dict(_walk_fields(mine)), dict(_walk_fields(theirs))
    return tuple(
        Difference(field, ours.get(field), others.get(field))
        for field in dict.fromkeys((*ours, *others))
        if ours.get(field) != others.get(field)
    )


def _walk_fields(plain: Plain | None, path: Field = ()) -> Iterator[tuple[Field, Plain]]:
    """Yield each leaf with its path; a list is one value."""
    if isinstance(plain, dict):
        for key, below in plain.items():
            yield from _walk_fields(below, (*path, key))
    elif plain is not None:
        yield path, plain

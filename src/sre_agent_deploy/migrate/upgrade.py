"""Upgrade an older version of our own format to the current one, step by step (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sre_agent_deploy.config.document import Malformed
from sre_agent_deploy.config.models import VERSION
from sre_agent_deploy.edit.file import read_values
from sre_agent_deploy.edit.put import put
from sre_core.problem import Problem


@dataclass(frozen=True)
class Step:
    """`change` edits the text with `edit.put`, so comments stay; the version number is written for it."""

    version: int
    """The version that it starts from; it ends at the next."""
    says: str
    """What it changes, for the report."""
    change: Callable[[str], str | Problem]


# A step is added here; where its change is long, `migrate/from_1.py` holds it.
STEPS: tuple[Step, ...] = ()


def upgrade(text: str, steps: Iterable[Step] = STEPS, current: int = VERSION) -> str | Problem:
    """Upgrade a text to the current format. One that is current or newer, or has no readable version, stays the same."""
    for step in find_due_steps(text, steps, current):
        changed = step.change(text)
        numbered = changed if isinstance(changed, Problem) else put(changed, ("version",), str(step.version + 1))
        if isinstance(numbered, Problem):
            return numbered
        text = numbered
    return text


def find_due_steps(text: str, steps: Iterable[Step] = STEPS, current: int = VERSION) -> tuple[Step, ...]:
    """Find the steps from the version of this text to the current one, in order."""
    version = read_version(text)
    if version is None:
        return ()
    return tuple(sorted((step for step in steps if version <= step.version < current), key=lambda step: step.version))


def read_version(text: str) -> int | None:
    """Read the version of a text; 1 if it names none."""
    values = read_values(text)
    if isinstance(values, Malformed) or not isinstance(values, dict):
        return None
    written = values.get("version", "1")
    return int(written) if isinstance(written, str) and written.isdigit() and len(written) < 10 else None

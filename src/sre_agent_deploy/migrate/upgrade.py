"""An older version of our own format becomes the current one, one step at a time (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from sre_agent_deploy.config.models import VERSION
from sre_agent_deploy.config.parse import Malformed
from sre_agent_deploy.edit.meant import meaning
from sre_agent_deploy.edit.put import put
from sre_agent_deploy.migrate.step import Step
from sre_agent_deploy.migrate.steps import STEPS
from sre_core.problem import Problem


def upgraded(text: str, steps: Iterable[Step] = STEPS, current: int = VERSION) -> str | Problem:
    """The text in the current format. One that is current, or newer, or has no readable version, stays as it is."""
    for step in due(text, steps, current):
        changed = step.change(text)
        numbered = changed if isinstance(changed, Problem) else put(changed, ("version",), str(step.version + 1))
        if isinstance(numbered, Problem):
            return numbered
        text = numbered
    return text


def due(text: str, steps: Iterable[Step] = STEPS, current: int = VERSION) -> tuple[Step, ...]:
    """The steps between the version of this text and the current one, in order."""
    version = version_of(text)
    if version is None:
        return ()
    return tuple(sorted((step for step in steps if version <= step.version < current), key=lambda step: step.version))


def version_of(text: str) -> int | None:
    """The version that a text says it has; 1, where it says none."""
    values = meaning(text)
    if isinstance(values, Malformed) or not isinstance(values, dict):
        return None
    written = values.get("version", "1")
    return int(written) if isinstance(written, str) and written.isdigit() and len(written) < 10 else None

"""Formats of the state that earlier versions wrote, and the one step from each to the next (pure).

To change the format: append a step to STEPS, and put a state of the format before into tests/sre_agent_deploy/journal/formats/.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

type Step = Callable[[dict[str, Any]], dict[str, Any]]

# STEPS[n - 1] turns a document of format n into one of format n + 1.
STEPS: tuple[Step, ...] = ()

SCHEMA = 1 + len(STEPS)


def migrate(document: dict[str, Any], steps: tuple[Step, ...] = STEPS) -> dict[str, Any]:
    """The document in the newest format. Raises ValueError where it names no format that there ever was."""
    schema = document["schema"]
    if not isinstance(schema, int) or not 1 <= schema <= 1 + len(steps):
        raise ValueError(f"there is no format {schema}")
    for number, step in enumerate(steps[schema - 1 :], start=schema + 1):
        document = {**step(document), "schema": number}
    return document

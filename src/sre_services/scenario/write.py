"""All files of the recordings that ship."""

from __future__ import annotations

import json
from pathlib import Path

from sre_services.recording import SHIPPED
from sre_services.scenario import kubernetes, logs, metrics
from sre_services.scenario.shop import END, NAMESPACE
from sre_services.scenario.stories import Story, stories

RUNBOOKS = Path(__file__).parent / "runbooks"
# The same words for all: what is wrong must follow from the evidence.
_DESCRIPTION = "A web shop of nine services on three nodes, seen for 75 minutes."


def files() -> dict[Path, str]:
    """Path to text of every file."""
    return {SHIPPED / story.name / file: text for story in stories() for file, text in recording(story).items()}


def recording(story: Story) -> dict[str, str]:
    """The files of one recording by their names inside its folder."""
    about = {"schema": 1, "name": story.name, "namespace": NAMESPACE, "recorded_end": END.isoformat().replace("+00:00", "Z")}
    runbooks = {f"runbooks/{path.name}": path.read_text(encoding="utf-8") for path in sorted(RUNBOOKS.glob("*.md"))}
    head = {"recording.json": json.dumps({**about, "description": _DESCRIPTION}, indent=2) + "\n"}
    return {**head, **kubernetes.files(story), **logs.files(story), **metrics.files(story), **runbooks}

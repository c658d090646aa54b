"""The files of the recordings that ship."""

from __future__ import annotations

import json
from pathlib import Path

from sre_services.recording import SHIPPED
from sre_services.scenario import kubernetes, logs, metrics
from sre_services.scenario.shop import END, NAMESPACE
from sre_services.scenario.stories import Story, build_stories

RUNBOOKS = Path(__file__).parent / "runbooks"
# The same text for all: the cause must follow from the evidence.
_DESCRIPTION = "A web shop of nine services on three nodes, seen for 75 minutes."


def build_files() -> dict[Path, str]:
    """Build every file by its path."""
    return {SHIPPED / story.name / file: text for story in build_stories() for file, text in build_recording(story).items()}


def build_recording(story: Story) -> dict[str, str]:
    """Build the files of one recording by their names in its folder."""
    about = {"schema": 1, "name": story.name, "namespace": NAMESPACE, "recorded_end": END.isoformat().replace("+00:00", "Z")}
    runbooks = {f"runbooks/{path.name}": path.read_text(encoding="utf-8") for path in sorted(RUNBOOKS.glob("*.md"))}
    head = {"recording.json": json.dumps({**about, "description": _DESCRIPTION}, indent=2) + "\n"}
    return {**head, **kubernetes.build_files(story), **logs.build_files(story), **metrics.build_files(story), **runbooks}

"""Recorded runbooks: `runbooks/*.md` of the recording."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sre_core.problem import Refused
from sre_services.recording import Recording, damaged_file_problem, read_each, read_text, recording_from
from sre_services.runbooks.markdown import FrontMatterFault, parse_runbook
from sre_services.runbooks.model import Runbook
from sre_services.sources.settings import Settings


class Recorded:
    """Holds the runbooks of the recording."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._runbooks = tuple(read_each(recording.files("runbooks/*.md"), _read).values())

    @property
    def as_of(self) -> datetime:
        return self._recording.as_of

    def runbooks(self) -> tuple[Runbook, ...]:
        return self._runbooks


def open_provider(settings: Settings) -> Recorded:
    """Read the runbooks of the recording that SRE_RECORDING names."""
    return Recorded(recording_from(settings.environment))


def _read(path: Path) -> Runbook:
    text = read_text(path)
    try:
        return parse_runbook(f"runbooks/{path.name}", text)
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        line = fault.line if isinstance(fault, FrontMatterFault) else None
        raise Refused(damaged_file_problem(path, f"It is not a runbook: {fault}.", line)) from None

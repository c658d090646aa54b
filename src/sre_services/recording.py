"""A recorded incident: a folder with what the real systems answered, its times moved so that it ends now."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sre_core import clock
from sre_core.problem import Problem, Refused, Where

SHIPPED = Path(__file__).parent / "recordings"
RELEASE_ROOT = Path(__file__).parent.parent
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True)
class Recording:
    """The folder, and the moment that its end is moved to. Everything in it is read through here."""

    folder: Path
    namespace: str
    recorded_end: datetime
    as_of: datetime

    @property
    def shift(self) -> timedelta:
        return self.as_of - self.recorded_end

    def moved(self, time: str) -> datetime:
        """A recorded time as it is to be seen now. Raises ValueError when it is none."""
        return clock.parse(time) + self.shift

    def files(self, pattern: str) -> list[Path]:
        """The files that match, in the order of their names; none when the recording holds none."""
        return sorted(self.folder.glob(pattern))

    def json(self, file: str) -> Any:
        """A JSON file of the recording with its times moved, None when it is absent."""
        path = self.folder / file
        return self._moved_within(_parsed(path)) if path.is_file() else None

    def kubernetes_list(self, file: str) -> list[Any]:
        """The `items` of a Kubernetes API List, empty when the file is absent."""
        document = self.json(f"kubernetes/{file}")
        if document is None:
            return []
        if not isinstance(document, dict) or not isinstance(document.get("items"), list):
            raise Refused(damaged_file_problem(self.folder / "kubernetes" / file, "It is not a Kubernetes List: it has no array `items`."))
        items: list[Any] = document["items"]
        return items

    def _moved_within(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._moved_within(part) for key, part in value.items()}
        if isinstance(value, list):
            return [self._moved_within(part) for part in value]
        if isinstance(value, str) and _TIME.fullmatch(value):
            return self.moved(value).isoformat().replace("+00:00", "Z")
        return value


def open_recording(name: str, as_of: datetime) -> Recording | Problem:
    """The recording that ships under this name, or the one in this folder (absolute, or relative to the release's root)."""
    folders = (SHIPPED / name, RELEASE_ROOT / name, Path(name))
    folder = next((folder for folder in folders if name and (folder / "recording.json").is_file()), None)
    if folder is None:
        return _not_found(name)
    path = folder / "recording.json"
    try:
        about = _parsed(path)
        return Recording(folder, str(about["namespace"]), clock.parse(about["recorded_end"]), as_of.replace(microsecond=0))
    except Refused as refused:
        return refused.problems[0]
    except (KeyError, TypeError, ValueError) as fault:
        return damaged_file_problem(path, f"It needs `namespace` and `recorded_end` (ISO 8601): {fault!r}.")


def damaged_file_problem(path: Path, why: str, line: int | None = None, column: int | None = None) -> Problem:
    """A file of the recording that can't be read as what it should be."""
    return Problem(
        code="SVC-RECORDING-DAMAGED",
        what=f"The recording's file {path.name} can't be read.",
        why=why,
        do=("Restore the file from its source, or delete it: what a recording does not hold is answered as empty.",),
        where=Where(str(path), line, column),
    )


def _parsed(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as fault:
        raise Refused(damaged_file_problem(path, f"It is not JSON: {fault.msg}.", fault.lineno, fault.colno)) from None
    except UnicodeDecodeError as fault:
        raise Refused(damaged_file_problem(path, f"It is not UTF-8: {fault.reason}.")) from None


def _not_found(name: str) -> Problem:
    names = ", ".join(sorted(path.parent.name for path in SHIPPED.glob("*/recording.json")))
    return Problem(
        code="SVC-RECORDING-NOT-FOUND",
        what=f"There is no recording {name!r}." if name else "SRE_RECORDING is not set.",
        why="Neither a recording of this name ships with the services nor is it a folder with a recording.json.",
        do=(f"Set SRE_RECORDING to one of {names}, or to a folder with a recording.json.",),
    )

"""A recorded incident: a folder with the answers of real systems, its times shifted so that it ends now."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sre_core import clock
from sre_core.problem import Problem, Refused, Where

SHIPPED = Path(__file__).parent / "recordings"
RELEASE_ROOT = Path(__file__).parent.parent
# A whole string of a JSON document, and no key. A time within a string, such as in an annotation with JSON in it, stays as it is.
_TIME = re.compile(r'(?<!\\)"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d))"(?!\s*:)')


@dataclass(frozen=True)
class Recording:
    """The folder, and the moment to which its end is shifted. Everything in it is read through here."""

    folder: Path
    namespace: str
    recorded_end: datetime
    as_of: datetime

    @property
    def shift(self) -> timedelta:
        """The distance by which every time is shifted."""
        return self.as_of - self.recorded_end

    def shift_time(self, time: str) -> datetime:
        """Shift a recorded time. Raises ValueError when the text is no time."""
        return clock.parse(time) + self.shift

    def files(self, pattern: str) -> list[Path]:
        """Return the files that match, ordered by name; none when the recording holds none."""
        folder = self.folder / Path(pattern).parent
        if folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK):
            raise Refused(damaged_file_problem(folder, "This user may not list the folder."))
        return sorted(self.folder.glob(pattern))

    def json(self, file: str) -> Any:
        """Read a JSON file of the recording and shift its times; None when the file is absent."""
        path = self.folder / file
        if not _is_there(path):
            return None
        try:
            return json.loads(_TIME.sub(self._shift_string, read_text(path)))
        except (ValueError, RecursionError):
            _parse(path)  # says where the file itself is damaged
            raise

    def kubernetes_list(self, file: str) -> list[Any]:
        """Read the `items` of a Kubernetes API List; none when the file is absent."""
        document = self.json(f"kubernetes/{file}")
        if document is None:
            return []
        if not isinstance(document, dict) or not isinstance(document.get("items"), list):
            path = self.folder / "kubernetes" / file
            raise Refused(damaged_file_problem(path, "It is not a Kubernetes List: it has no array `items`."))
        items: list[Any] = document["items"]
        return items

    def _shift_string(self, found: re.Match[str]) -> str:
        return f'"{self.shift_time(found[1]).isoformat().replace("+00:00", "Z")}"'


def read_each[K, T](keys: Iterable[K], read: Callable[[K], T]) -> dict[K, T]:
    """Read every file. Raises Refused with the problems of all that can't be read."""
    found, problems = dict[K, T](), list[Problem]()
    for key in keys:
        try:
            found[key] = read(key)
        except Refused as refused:
            problems += refused.problems
    if problems:
        raise Refused(*problems)
    return found


def read_text(path: Path, errors: str = "strict") -> str:
    """Read a file of a recording. Raises Refused, naming it, where that can't be done."""
    try:
        return path.read_text(encoding="utf-8", errors=errors)
    except UnicodeDecodeError as fault:
        raise Refused(damaged_file_problem(path, f"It is not UTF-8: {fault.reason}.")) from None
    except OSError as fault:
        raise Refused(damaged_file_problem(path, f"{fault.strerror or type(fault).__name__}.")) from None


def find_line(text: str, array: str, number: int) -> int | None:
    """Find the line in which an entry of the first array with this name begins; None where the text has no such entry."""
    decoder, opened = json.JSONDecoder(), re.search(rf'"{array}"\s*:\s*\[', text)
    at = opened.end() if opened else len(text)
    try:
        for _ in range(number):
            _, at = decoder.raw_decode(text, _skip(text, at))
    except ValueError:
        return None
    return text.count("\n", 0, _skip(text, at)) + 1 if opened else None


def _skip(text: str, at: int) -> int:
    """Return the position of the next entry of an array."""
    while at < len(text) and text[at] in ", \t\r\n":
        at += 1
    return at


def recording_from(environment: Mapping[str, str]) -> Recording:
    """Open the recording that SRE_RECORDING names. It ends now, or at SRE_RECORDING_END. Raises Refused."""
    end = _parse_end(environment.get("SRE_RECORDING_END", ""))
    found = end if isinstance(end, Problem) else open_recording(environment.get("SRE_RECORDING", ""), end)
    if isinstance(found, Problem):
        raise Refused(found)
    return found


def open_recording(name: str, as_of: datetime) -> Recording | Problem:
    """Open the recording that ships under this name, or the one in this folder (absolute, or relative to the release's root)."""
    folders = (SHIPPED / name, RELEASE_ROOT / name, Path(name))
    folder = next((folder for folder in folders if name and _is_there(folder / "recording.json")), None)
    if folder is None:
        return _not_found(name)
    path = folder / "recording.json"
    try:
        about = _parse(path)
        return Recording(folder, str(about["namespace"]), clock.parse(about["recorded_end"]), as_of.replace(microsecond=0))
    except Refused as refused:
        return refused.problems[0]
    except (KeyError, TypeError, ValueError) as fault:
        return damaged_file_problem(path, f"It needs `namespace` and `recorded_end` (ISO 8601): {fault!r}.")


def damaged_file_problem(path: Path, why: str, line: int | None = None, column: int | None = None) -> Problem:
    """Describe a file of the recording that can't be read."""
    return Problem(
        code="SVC-RECORDING-DAMAGED",
        what=f"The recording's file {path.name} can't be read.",
        why=why,
        do=(
            "Correct it where this message says, or restore it from its source.",
            f"Or delete it; its content is then answered as empty: rm {path}",
        ),
        where=Where(str(path), line, column),
    )


def _is_there(path: Path) -> bool:
    """Say if there is something under this name. What this user may not look at counts, so that reading it says why."""
    try:
        path.lstat()
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return True


def _parse(path: Path) -> Any:
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as fault:
        raise Refused(damaged_file_problem(path, f"It is not JSON: {fault.msg}.", fault.lineno, fault.colno)) from None
    except RecursionError:
        raise Refused(damaged_file_problem(path, "It is nested too deeply.")) from None


def _parse_end(pinned: str) -> datetime | Problem:
    if not pinned:
        return clock.now()
    try:
        return clock.parse(pinned)
    except ValueError:
        return Problem(
            code="SVC-TIME-INVALID",
            what=f"SRE_RECORDING_END is {pinned[:40]!r}, which is not a time.",
            why="It must be in ISO 8601.",
            do=("Write it as 2026-11-22T14:35:40Z, or leave it out: a recording then ends when the service starts.",),
        )


def _not_found(name: str) -> Problem:
    names = ", ".join(sorted(path.parent.name for path in SHIPPED.glob("*/recording.json")))
    return Problem(
        code="SVC-RECORDING-NOT-FOUND",
        what=f"There is no recording {name!r}." if name else "SRE_RECORDING is not set.",
        why="It must be the name of a recording that ships with the services, or a folder with a recording.json.",
        do=(f"Set SRE_RECORDING (services.recording in config.yaml) to one of {names}, or to such a folder.",),
    )

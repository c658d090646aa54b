"""Take a configuration back out of a backup: it is validated first, then compared, and only then applied."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sre_agent_deploy.backup.archive import Archive
from sre_agent_deploy.backup.conflict import LAYOUT, Chooser, Difference, differences
from sre_agent_deploy.backup.hiding import revealed
from sre_agent_deploy.config.load import load_text
from sre_agent_deploy.config.parse import Malformed
from sre_agent_deploy.edit.file import Original
from sre_agent_deploy.edit.put import put
from sre_agent_deploy.edit.text import meaning
from sre_agent_deploy.migrate.upgrade import upgraded
from sre_core.problem import Problem, Refused
from sre_core.redaction import redact_line


@dataclass(frozen=True)
class Restoration:
    """What a backup would change. `differences` is empty where the file is as in the backup, or where there is no file."""

    original: Original
    theirs: str
    differences: tuple[Difference, ...]

    def diff(self) -> str:
        """The change as a unified diff, without secrets."""
        mine = [redact_line(line) for line in self.original.text.splitlines()]
        theirs = [redact_line(line) for line in self.theirs.splitlines()]
        name = self.original.path.name
        return "\n".join(difflib.unified_diff(mine, theirs, f"{name} (now)", f"{name} (backup)", lineterm=""))


def prepare(archive: Archive, original: Original, *, environ: Mapping[str, str]) -> Restoration | tuple[Problem, ...]:
    """What restoring would do, or every reason why this backup must not be restored."""
    theirs = upgraded(archive.config.decode("utf-8-sig"))
    if isinstance(theirs, Problem):
        return (theirs,)
    theirs = revealed(theirs, original.text)
    faults = invalid(original.path, theirs, environ)
    if faults:
        return (_refused(original.path), *faults)
    return Restoration(original, theirs, _differences(original, theirs))


def decided(restoration: Restoration, choose: Chooser) -> str:
    """The text to write, after each difference was decided. Raises Refused where one was not, or they don't fit together."""
    if not restoration.differences:
        return restoration.theirs
    taken = []
    for difference in restoration.differences:
        choice = choose(difference)
        if choice == "abort":
            raise Refused(aborted(restoration.original.path))
        taken += [difference] if choice == "theirs" else []
    if len(taken) == len(restoration.differences):
        return restoration.theirs
    text = restoration.original.text
    for difference in taken:
        if difference.field != LAYOUT:
            edited = put(text, difference.field, "" if difference.theirs is None else difference.theirs)
            if isinstance(edited, Problem):
                raise Refused(edited)
            text = edited
    return text


def invalid(path: Path, text: str, environ: Mapping[str, str]) -> tuple[Problem, ...]:
    """Every fault that a configuration of this text would have in this place."""
    loaded = load_text(path, text.replace("\r\n", "\n"), environ=environ, mode=None)
    return loaded if isinstance(loaded, tuple) else ()


def _differences(original: Original, theirs: str) -> tuple[Difference, ...]:
    if original.body is None or original.text == theirs:
        return ()
    mine, other = meaning(original.text), meaning(theirs)
    layout = (Difference(LAYOUT, None, None),)
    if isinstance(mine, Malformed) or isinstance(other, Malformed):
        return layout
    return differences(mine, other) or layout


def _refused(path: Path) -> Problem:
    return Problem(
        code="RESTORE-INVALID",
        what=f"The backup was not restored to {path}.",
        why="The configuration in it has the faults that follow, here and now.",
        do=("Correct their cause, such as a variable that is not set here, and run the same command again.", "Nothing was changed."),
    )


def aborted(path: Path) -> Problem:
    """The problem of a conflict that somebody chose not to decide."""
    return Problem(
        code="CONFLICT-ABORTED",
        what=f"{path} is as it was.",
        why="You chose to abort.",
        do=("Run the same command again to decide otherwise.", "Or look at the differences only: add --dry-run."),
    )

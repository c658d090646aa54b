"""Restore a configuration from a backup: validate it, compare it with the existing one, then write it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sre_agent_deploy.backup.hiding import IN_DOTENV, compare_dotenv, merge_dotenv, restore_hidden_lines
from sre_agent_deploy.backup.keep import Archive, Kept, rewrite
from sre_agent_deploy.config import text_file
from sre_agent_deploy.config.document import Malformed
from sre_agent_deploy.config.edit import LAYOUT, Chooser, Difference, compare, put, read_values
from sre_agent_deploy.config.environment import find_setting_names, read_dotenv
from sre_agent_deploy.config.load import load_text
from sre_agent_deploy.config.text_file import Original
from sre_agent_deploy.migrate import STEPS, Step, upgrade
from sre_core.problem import Problem, Refused
from sre_core.redaction import redact_line


@dataclass(frozen=True)
class Restoration:
    """The changes that a backup would make. `differences` is empty where nothing that is there would change."""

    original: Original
    theirs: str
    dotenv: Original
    their_dotenv: str
    differences: tuple[Difference, ...]
    opened: str = field(default="", repr=False)
    """The whole .env file of the backup, if a passphrase has opened it."""

    def diff(self) -> str:
        """Return the change of the configuration as a unified diff, without secrets."""
        mine = [redact_line(line) for line in self.original.text.splitlines()]
        theirs = [redact_line(line) for line in self.theirs.splitlines()]
        name = self.original.path.name
        return "\n".join(difflib.unified_diff(mine, theirs, f"{name} (now)", f"{name} (backup)", lineterm=""))


@dataclass(frozen=True)
class Restored:
    """The texts to write: the configuration, and the .env file beside it."""

    config: str
    dotenv: str


def prepare(
    archive: Archive, original: Original, dotenv: Original, *, environ: Mapping[str, str], steps: Iterable[Step] = STEPS
) -> Restoration | tuple[Problem, ...]:
    """Compare a backup with what is there, or list every reason why it must not be restored."""
    theirs = upgrade(archive.config.decode("utf-8-sig"), steps)
    if isinstance(theirs, Problem):
        return (theirs,)
    theirs = restore_hidden_lines(theirs, original.text)
    merged = merge_dotenv(
        dotenv.text, archive.dotenv, add=set(find_setting_names(theirs, archive.dotenv)), take=read_dotenv(archive.dotenv)[0]
    )
    merged = _add_secrets(merged, archive.opened)
    faults = find_faults(original.path, theirs, environ, dotenv=merged)
    if faults:
        return (_refused(original.path), *faults)
    differing = (*_compare_configs(original, theirs), *compare_dotenv(dotenv.text, archive.dotenv))
    return Restoration(original, theirs, dotenv, archive.dotenv, differing, archive.opened)


def _add_secrets(text: str, opened: str) -> str:
    """Add the variables that are missing; one that is there keeps its value, which is not compared: it may be a secret."""
    return merge_dotenv(text or "\n", opened, add=set(read_dotenv(opened)[0]), take=()) if opened else text


def decide(restoration: Restoration, choose: Chooser) -> Restored:
    """Choose a value for each difference. Raise Refused where one is not decided, or where they don't fit together."""
    taken = []
    for difference in restoration.differences:
        choice = choose(difference)
        if choice == "abort":
            raise Refused(aborted(restoration.original.path))
        taken += [difference] if choice == "theirs" else []
    config = _decide_config(restoration, [each for each in taken if each.field[:1] != (IN_DOTENV,)])
    variables = {each.field[1] for each in taken if each.field[:1] == (IN_DOTENV,)}
    names = set(find_setting_names(config, restoration.their_dotenv))
    merged = merge_dotenv(restoration.dotenv.text, restoration.their_dotenv, add=names, take=variables)
    return Restored(config, _add_secrets(merged, restoration.opened))


def _decide_config(restoration: Restoration, taken: list[Difference]) -> str:
    open_ones = [each for each in restoration.differences if each.field[:1] != (IN_DOTENV,)]
    if len(taken) == len(open_ones):
        return restoration.theirs
    text = restoration.original.text
    for difference in taken:
        if difference.field != LAYOUT:
            edited = put(text, difference.field, "" if difference.theirs is None else difference.theirs)
            if isinstance(edited, Problem):
                raise Refused(edited)
            text = edited
    return text


def apply(restoration: Restoration, restored: Restored, state_file: Path) -> Kept | None:
    """Back up the existing configuration, then write what was decided. Return the backup, or None if there was no file."""
    if restored.dotenv != restoration.dotenv.text:
        text_file.replace(restoration.dotenv, restored.dotenv, new_mode=0o600)
    return rewrite(restoration.original, restored.config, state_file)


def find_faults(path: Path, text: str, environ: Mapping[str, str], *, dotenv: str | None = None) -> tuple[Problem, ...]:
    """Find every fault that a configuration of this text would have at `path`; `dotenv` is the text of the .env file beside it."""
    loaded = load_text(path, text.replace("\r\n", "\n"), environ=environ, mode=None, dotenv=dotenv)
    return loaded if isinstance(loaded, tuple) else ()


def _compare_configs(original: Original, theirs: str) -> tuple[Difference, ...]:
    if original.body is None or original.text == theirs:
        return ()
    mine, other = read_values(original.text), read_values(theirs)
    layout = (Difference(LAYOUT, None, None),)
    if isinstance(mine, Malformed) or isinstance(other, Malformed):
        return layout
    return compare(mine, other) or layout


def _refused(path: Path) -> Problem:
    return Problem(
        code="RESTORE-INVALID",
        what=f"The backup was not restored to {path}.",
        why="The configuration in it has the following faults on this machine.",
        do=("Correct their causes first, for example set a missing variable: export NAME=value", "Nothing was changed."),
    )


def aborted(path: Path) -> Problem:
    """Build the problem of a conflict that the user chose not to decide."""
    return Problem(
        code="CONFLICT-ABORTED",
        what=f"{path} was not changed.",
        why="You chose to abort.",
        do=(
            "Choose a value: --conflict=mine keeps the file's values, --conflict=theirs takes those of the backup.",
            "Or only show the differences: --dry-run",
        ),
    )

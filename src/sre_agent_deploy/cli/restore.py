"""`restore`: a configuration back out of a backup; validated first, shown as a difference, applied at once or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sre_agent_deploy.cli.conflicts import chooser, conflict_option, show_differences
from sre_agent_deploy.cli.options import CONFIG, STATE, config_option, json_option, state_option
from sre_core.problem import Problem, Refused

if TYPE_CHECKING:
    from sre_agent_deploy.backup.archive import Archive
    from sre_agent_deploy.backup.restore import Restoration


@click.command("restore", help="Take a configuration back out of a backup, after it was validated and shown.")
@click.argument("backup_file", metavar="BACKUP", type=click.Path(path_type=Path))
@config_option
@state_option
@click.option("--dry-run", is_flag=True, help="Only validate, and show what would change.")
@conflict_option
@json_option
def command(
    *, backup_file: Path, config_file: Path | None, state_file: Path | None, dry_run: bool, conflict: str | None, as_json: bool
) -> None:
    from sre_agent_deploy.backup import keep, restore
    from sre_agent_deploy.edit.file import read_if_there

    archive = keep.opened(backup_file)
    if isinstance(archive, Problem):
        raise Refused(archive)
    original = read_if_there(config_file or CONFIG)
    if isinstance(original, Problem):
        raise Refused(original)
    prepared = restore.prepare(archive, original, environ=os.environ)
    if isinstance(prepared, tuple):
        raise Refused(*prepared)
    _show(prepared, archive, as_json=as_json)
    if dry_run:
        return
    text = restore.decided(prepared, chooser(conflict))
    faults = restore.invalid(original.path, text, os.environ)
    if faults:
        raise Refused(*faults)
    if text == original.text and original.body is not None:
        _say({"restored": False, "config": str(original.path)}, f"{original.path} stays as it is.", as_json)
        return
    kept = keep.rewrite(original, text, state_file or STATE)
    before = {"backup_of_before": str(kept.path)} if kept else {}
    said = f"{original.path} is restored." + (f" What it was before: {kept.path}" if kept else "")
    _say({"restored": True, "config": str(original.path), **before}, said, as_json)


def _show(prepared: Restoration, archive: Archive, *, as_json: bool) -> None:
    missing = _missing_names(prepared.original.path, archive.environment)
    if as_json:
        fields = [{"field": each.name, "mine": each.shown()[0], "theirs": each.shown()[1]} for each in prepared.differences]
        click.echo(json.dumps({"valid": True, "differences": fields, "diff": prepared.diff(), "environment_missing": missing}))
        return
    click.echo("The backup is whole, and its configuration is valid.")
    if prepared.differences:
        show_differences(prepared.differences)
        click.echo(f"\n{prepared.diff()}\n")
    for name in missing:
        click.secho(f"{name} was set in .env then, and is not now; its value is in no backup.", fg="yellow")


def _missing_names(config: Path, names: tuple[str, ...]) -> list[str]:
    """The variables of the .env file of then that are neither in that of now nor in the environment."""
    from sre_agent_deploy.config.environment import read_dotenv
    from sre_agent_deploy.config.read_text import read_text

    dotenv = config.parent / ".env"
    text = read_text(dotenv) if dotenv.is_file() else ""
    known = {} if isinstance(text, Problem) else read_dotenv(text)[0]
    return [name for name in names if name not in known and name not in os.environ]


def _say(event: dict[str, object], line: str, as_json: bool) -> None:
    click.echo(json.dumps(event) if as_json else line)

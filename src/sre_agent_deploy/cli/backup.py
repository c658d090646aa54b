"""`backup` and `restore`: every setting in one portable file without a secret, and back again."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sre_agent_deploy.cli.conflicts import choose_by, conflict_option, show_differences
from sre_agent_deploy.cli.options import config_option, json_option, state_option
from sre_agent_deploy.commands import CONFIG, STATE, Request
from sre_core.problem import Problem, Refused

if TYPE_CHECKING:
    from sre_agent_deploy.backup.archive import Archive
    from sre_agent_deploy.backup.keep import Kept
    from sre_agent_deploy.backup.restore import Restoration


@click.command("backup", help="Keep every setting in one portable file with checksums. Secrets are named, never copied.")
@config_option
@state_option
@click.option("--output", type=click.Path(path_type=Path), help="The file to write (default: among this machine's backups).")
@click.option("--list", "only_list", is_flag=True, help="List the backups of this machine instead.")
@json_option
def backup(config_file: Path | None, state_file: Path | None, output: Path | None, only_list: bool, as_json: bool) -> None:
    from sre_agent_deploy.backup import keep
    from sre_agent_deploy.commands.workspace import find_config_file
    from sre_agent_deploy.edit.file import read

    path = find_config_file(Request(config_file=config_file, state_file=state_file))
    if only_list:
        _list(keep.list_backups(path), as_json=as_json)
        return
    original = read(path)
    if isinstance(original, Problem):
        raise Refused(original)
    kept = keep.back_up(original, state_file or STATE, to=output)
    if as_json:
        parts = {"hidden": kept.archive.hidden, "environment_names": kept.archive.environment, "withheld": kept.archive.withheld}
        click.echo(json.dumps({"backup": str(kept.path), "sha256": kept.sha256, **parts}))
    else:
        _show_kept(kept)


def _show_kept(kept: Kept) -> None:
    click.echo(f"Backup: {kept.path}\nSHA-256: {kept.sha256}")
    for where in kept.archive.hidden:
        click.secho(f"Left out, because it is a secret: {where}", fg="yellow")
    if kept.archive.withheld:
        click.secho(f"Left out of .env, because they may be secrets: {', '.join(kept.archive.withheld)}", fg="yellow")
    click.echo(f"\nNext: sre-agent-deploy restore {kept.path} --dry-run")


def _list(paths: tuple[Path, ...], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"backups": [str(path) for path in paths]}))
        return
    for path in paths:
        click.echo(path)
    if not paths:
        click.echo("There are none yet.", err=True)


@click.command("restore", help="Take a configuration back out of a backup, after it was validated and shown.")
@click.argument("backup_file", metavar="BACKUP", type=click.Path(path_type=Path))
@config_option
@state_option
@click.option("--dry-run", is_flag=True, help="Only validate, and show what would change.")
@conflict_option
@json_option
def restore(
    *, backup_file: Path, config_file: Path | None, state_file: Path | None, dry_run: bool, conflict: str | None, as_json: bool
) -> None:
    from sre_agent_deploy.backup import keep
    from sre_agent_deploy.backup import restore as restoring
    from sre_agent_deploy.edit.file import read_if_there

    archive = keep.open_backup(backup_file)
    if isinstance(archive, Problem):
        raise Refused(archive)
    original = read_if_there(config_file or CONFIG)
    if isinstance(original, Problem):
        raise Refused(original)
    dotenv = read_if_there(original.path.parent / ".env")
    if isinstance(dotenv, Problem):
        raise Refused(dotenv)
    prepared = restoring.prepare(archive, original, dotenv, environ=os.environ)
    if isinstance(prepared, tuple):
        raise Refused(*prepared)
    _show_differences(prepared, archive, as_json=as_json)
    if dry_run:
        return
    decided = restoring.decide(prepared, choose_by(conflict))
    faults = restoring.find_faults(original.path, decided.config, os.environ, dotenv=decided.dotenv)
    if faults:
        raise Refused(*faults)
    if (decided.config, decided.dotenv) == (original.text, dotenv.text) and original.body is not None:
        _say({"restored": False, "config": str(original.path)}, f"{original.path} stays as it is.", as_json)
        return
    kept = restoring.apply(prepared, decided, state_file or STATE)
    before = {"backup_of_before": str(kept.path)} if kept else {}
    said = f"{original.path} is restored." + (f" What it was before: {kept.path}" if kept else "")
    _say({"restored": True, "config": str(original.path), **before}, said, as_json)


def _show_differences(prepared: Restoration, archive: Archive, *, as_json: bool) -> None:
    from sre_agent_deploy.config.environment import read_dotenv

    missing = [name for name in archive.withheld if name not in os.environ and name not in read_dotenv(prepared.dotenv.text)[0]]
    if as_json:
        fields = [{"field": each.name, "mine": each.show()[0], "theirs": each.show()[1]} for each in prepared.differences]
        click.echo(json.dumps({"valid": True, "differences": fields, "diff": prepared.diff(), "environment_missing": missing}))
        return
    click.echo("The backup is whole, and its configuration is valid.")
    if prepared.differences:
        show_differences(prepared.differences)
        click.echo(f"\n{prepared.diff()}\n")
    for name in missing:
        click.secho(f"{name} was set in .env then, and is not now; its value is in no backup.", fg="yellow")


def _say(event: dict[str, object], line: str, as_json: bool) -> None:
    click.echo(json.dumps(event) if as_json else line)

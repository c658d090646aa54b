"""`backup` and `restore`: every setting in one portable file without a secret, and back again; with --data, what AWS has too."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sre_agent_deploy.cli.options import (
    choose_by,
    config_option,
    conflict_option,
    json_option,
    mode_option,
    show_differences,
    state_option,
    yes_option,
)
from sre_agent_deploy.commands import CONFIG, STATE, Mode, Request
from sre_core.problem import Problem, Refused
from sre_core.secret import Secret

if TYPE_CHECKING:
    from sre_agent_deploy.backup.data import DataBackup, Opened
    from sre_agent_deploy.backup.keep import Archive, Kept
    from sre_agent_deploy.backup.restore import Restoration
    from sre_agent_deploy.commands.restore import Conflict


passphrase_option = click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path),
    help="A file with the passphrase of the secrets in a data backup. Without it: SRE_AGENT_BACKUP_PASSPHRASE, or a terminal is asked.",
)


# A mistyped one would lose the secrets, so this one is asked for twice.
_ASKED_TWICE = "Passphrase for the secrets (empty: leave them out)"


@click.command("backup", help="Keep every setting in one portable file with checksums; with --data, also what the deployment holds in AWS.")
@config_option
@state_option
@click.option("--data", "with_data", is_flag=True, help="Also users, groups, objects, state and, encrypted by a passphrase, secrets.")
@passphrase_option
@click.option("--output", type=click.Path(path_type=Path), help="The file to write (default: among this machine's backups).")
@click.option("--list", "only_list", is_flag=True, help="List the backups of this machine instead; with --data, those in S3 (backups.at).")
@click.option("--check", "to_check", metavar="BACKUP", type=click.Path(path_type=Path), help="Check a backup instead of making one.")
@json_option
def backup(
    *,
    config_file: Path | None,
    state_file: Path | None,
    with_data: bool,
    passphrase_file: Path | None,
    output: Path | None,
    only_list: bool,
    to_check: Path | None,
    as_json: bool,
) -> None:
    from sre_agent_deploy.backup import keep
    from sre_agent_deploy.commands.workspace import find_config_file

    request = Request(config_file=config_file, state_file=state_file)
    if to_check:
        _check(request, to_check, _read_passphrase(passphrase_file, None), as_json=as_json)
    elif only_list and with_data:
        _list_scheduled(request, as_json=as_json)
    elif only_list:
        _list(keep.list_backups(find_config_file(request)), as_json=as_json)
    elif with_data:
        _back_up_data(request, output, _read_passphrase(passphrase_file, _ASKED_TWICE), as_json)
    else:
        _back_up_configuration(find_config_file(request), state_file, output, as_json=as_json)


def _back_up_configuration(path: Path, state_file: Path | None, output: Path | None, *, as_json: bool) -> None:
    from sre_agent_deploy.backup import keep
    from sre_agent_deploy.config.text_file import read

    original = read(path)
    if isinstance(original, Problem):
        raise Refused(original)
    kept = keep.back_up(original, state_file or STATE, to=output)
    if as_json:
        parts = {"hidden": kept.archive.hidden, "environment_names": kept.archive.environment, "withheld": kept.archive.withheld}
        click.echo(json.dumps({"backup": str(kept.path), "sha256": kept.sha256, **parts}))
    else:
        _show_kept(kept)


def _back_up_data(request: Request, output: Path | None, passphrase: Secret | None, as_json: bool) -> None:
    from sre_agent_deploy.cli.terminal import Terminal
    from sre_agent_deploy.commands.backup import back_up_data

    made = back_up_data(request, Terminal(as_json=as_json, json_events=False), to=output, passphrase=passphrase)
    _show_data(made, as_json=as_json)
    if not as_json:
        click.echo(f"\nNext: sre-agent-deploy restore {made.path} --data --dry-run")


def _show_data(made: DataBackup, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"backup": str(made.path), **made.describe()}))
        return
    click.echo(f"Backup: {made.path}")
    for name, value in made.describe().items():
        click.echo(f"  {name:12} {', '.join(value) if isinstance(value, list) else value}")


def _check(request: Request, place: Path, passphrase: Secret | None, *, as_json: bool) -> None:
    from sre_agent_deploy.commands.backup import fetch_backup

    with fetch_backup(request, place) as path:
        opened = _open(path, passphrase)
    if opened.data:
        _show_data(opened.data, as_json=as_json)
    elif as_json:
        click.echo(json.dumps({"backup": str(place), "config": opened.archive.config_name}))
    if not as_json:
        said = " Its secrets can be decrypted." if opened.secrets else ""
        click.echo(f"{place} is whole: every checksum is right.{said}")


def _open(path: Path, passphrase: Secret | None) -> Opened:
    from sre_agent_deploy.backup.data import open_any

    opened = open_any(path, passphrase)
    if isinstance(opened, Problem):
        raise Refused(opened)
    return opened


def _read_passphrase(path: Path | None, question: str | None) -> Secret | None:
    """Read the passphrase from a file, the environment or a terminal; None where there is none. It is never an argument."""
    from sre_agent_deploy.backup.contents import PASSPHRASE_VARIABLE

    if path:
        try:
            return Secret(path.read_text(encoding="utf-8").strip())
        except (OSError, UnicodeDecodeError) as error:
            raise Refused(_no_passphrase(path, error)) from error
    if known := os.environ.get(PASSPHRASE_VARIABLE):
        return Secret(known)
    if question and sys.stdin.isatty():
        text = click.prompt(
            question, hide_input=True, default="", show_default=False, confirmation_prompt=question == _ASKED_TWICE, err=True
        )
        return Secret(text) if text else None
    return None


def _show_kept(kept: Kept) -> None:
    click.echo(f"Backup: {kept.path}\nSHA-256: {kept.sha256}")
    for where in kept.archive.hidden:
        click.secho(f"Left out, because it is a secret: {where}", fg="yellow")
    if kept.archive.withheld:
        click.secho(f"Left out of .env, because they may be secrets: {', '.join(kept.archive.withheld)}", fg="yellow")
    click.echo(f"\nNext: sre-agent-deploy restore {kept.path} --dry-run")


def _list_scheduled(request: Request, *, as_json: bool) -> None:
    from sre_agent_deploy.cli.terminal import Terminal
    from sre_agent_deploy.commands.backup import list_scheduled

    places = list_scheduled(request, Terminal(as_json=as_json, json_events=False))
    _list(places, as_json=as_json)
    if places and not as_json:
        click.echo(f"\nNext: sre-agent-deploy restore {places[-1]} --data --dry-run")


def _list(places: tuple[Path | str, ...], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"backups": [str(place) for place in places]}))
        return
    for place in places:
        click.echo(place)
    if not places:
        click.echo("There are none yet.", err=True)


@click.command(
    "restore", help="Take a configuration back out of a backup, after it was validated and shown; with --data, everything else too."
)
@click.argument("backup_file", metavar="BACKUP", type=click.Path(path_type=Path))
@config_option
@mode_option
@state_option
@click.option("--data", "with_data", is_flag=True, help="Deploy what is missing, and put users, objects and secrets back.")
@passphrase_option
@click.option("--dry-run", is_flag=True, help="Only validate, and show what would change.")
@conflict_option
@yes_option
@json_option
def restore(
    *,
    backup_file: Path,
    config_file: Path | None,
    mode: Mode | None,
    state_file: Path | None,
    with_data: bool,
    passphrase_file: Path | None,
    dry_run: bool,
    conflict: Conflict | None,
    yes: bool,
    as_json: bool,
) -> None:
    from sre_agent_deploy.cli.terminal import Terminal
    from sre_agent_deploy.commands.backup import fetch_backup

    question = "Passphrase of the secrets (empty: make them again)" if with_data else None
    passphrase, request = _read_passphrase(passphrase_file, question), Request(config_file, mode, state_file)
    user = Terminal(yes=yes, as_json=as_json)
    with fetch_backup(request, backup_file, user) as path:
        opened = _open(path, passphrase)
        if with_data and opened.data is None:
            from sre_agent_deploy.backup.data import no_data

            raise Refused(no_data(backup_file))
        # Of two configurations, the one that is there describes where the data goes.
        if not (with_data and (config_file or CONFIG).exists()):
            _restore_configuration(opened.archive, request, dry_run=dry_run, conflict=conflict, as_json=as_json)
            if dry_run or not with_data:
                return
        if opened.data and with_data:
            from sre_agent_deploy.cli.terminal import end
            from sre_agent_deploy.commands.restore import restore_data

            end(restore_data(request, opened.data, opened.secrets, user, conflict=conflict, dry_run=dry_run), user)


def _restore_configuration(archive: Archive, request: Request, *, dry_run: bool, conflict: str | None, as_json: bool) -> None:
    from sre_agent_deploy.backup import restore as restoring
    from sre_agent_deploy.config.text_file import read_if_there

    original = read_if_there(request.config_file or CONFIG)
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
    kept = restoring.apply(prepared, decided, request.state_file or STATE)
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


def _no_passphrase(path: Path, error: Exception) -> Problem:
    return Problem(
        code="BACKUP-PASSPHRASE-FILE",
        what=f"{path} with the passphrase can't be read. Nothing was changed.",
        why=getattr(error, "strerror", None) or "It is no text.",
        do=("Name a file that has the passphrase as its only line: --passphrase-file FILE", "Make it yours alone: chmod 600 FILE"),
    )

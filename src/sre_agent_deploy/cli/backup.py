"""`backup`: every setting of a deployment in one portable file, without a secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sre_agent_deploy.cli.options import CONFIG, STATE, config_option, json_option, state_option
from sre_core.problem import Problem, Refused

if TYPE_CHECKING:
    from sre_agent_deploy.backup.keep import Kept


@click.command("backup", help="Keep every setting in one portable file with checksums. Secrets are named, never copied.")
@config_option
@state_option
@click.option("--output", type=click.Path(path_type=Path), help="The file to write (default: among this machine's backups).")
@click.option("--list", "only_list", is_flag=True, help="List the backups of this machine instead.")
@json_option
def command(config_file: Path | None, state_file: Path | None, output: Path | None, only_list: bool, as_json: bool) -> None:
    from sre_agent_deploy.backup import keep
    from sre_agent_deploy.edit.file import read

    path = config_file or CONFIG
    if only_list:
        _list(keep.backups(path), as_json=as_json)
        return
    original = read(path)
    if isinstance(original, Problem):
        raise Refused(original)
    kept = keep.back_up(original, state_file or STATE, to=output)
    if as_json:
        parts = {"hidden": kept.archive.hidden, "environment_names": kept.archive.environment}
        click.echo(json.dumps({"backup": str(kept.path), "sha256": kept.sha256, **parts}))
    else:
        _told(kept)


def _told(kept: Kept) -> None:
    click.echo(f"Backup: {kept.path}\nSHA-256: {kept.sha256}")
    for where in kept.archive.hidden:
        click.secho(f"Left out, because it is a secret: {where}", fg="yellow")
    if kept.archive.environment:
        click.echo(f"Of .env, only the names are in it: {', '.join(kept.archive.environment)}")
    click.echo(f"\nNext: sre-agent-deploy restore {kept.path} --dry-run")


def _list(paths: tuple[Path, ...], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"backups": [str(path) for path in paths]}))
        return
    for path in paths:
        click.echo(path)
    if not paths:
        click.echo("There are none yet.", err=True)

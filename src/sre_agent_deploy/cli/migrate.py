"""`migrate`: turn existing configuration files into the current config.yaml; nothing is dropped, and no secret is copied."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import click

from sre_agent_deploy.cli.conflicts import choose_by, conflict_option
from sre_agent_deploy.cli.options import config_option, json_option, state_option
from sre_agent_deploy.commands import CONFIG, STATE
from sre_core.problem import Problem, Refused


@click.command("migrate", help="Bring older configurations, and the files of the sample, to the current config.yaml.")
@click.argument("paths", metavar="[FILE|FOLDER]...", nargs=-1, type=click.Path(path_type=Path))
@config_option
@state_option
@click.option("--dry-run", is_flag=True, help="Only show what would move where.")
@conflict_option
@json_option
def migrate(
    *, paths: tuple[Path, ...], config_file: Path | None, state_file: Path | None, dry_run: bool, conflict: str | None, as_json: bool
) -> None:
    from sre_agent_deploy.backup.restore import find_faults
    from sre_agent_deploy.edit.file import read_if_there
    from sre_agent_deploy.migrate import plan
    from sre_agent_deploy.migrate.files import read_old, replace_original

    target = config_file or CONFIG
    sources = tuple(dict.fromkeys(_sources(paths)))
    original = read_if_there(target)
    old = [read_old(path) for path in sources]
    problems = [each for each in (original, *old) if isinstance(each, Problem)]
    if problems or isinstance(original, Problem):
        raise Refused(*problems)
    if not sources and original.body is None:
        raise Refused(_nothing(target))
    in_place = any(path.resolve() == target.resolve() for path in sources)
    existing = None if original.body is None or in_place else original.text
    result = plan.migrate([each for each in old if not isinstance(each, Problem)], existing, choose_by(conflict))
    if original.body is not None and result.text == original.text:
        click.echo(json.dumps({"migrated": False, "config": str(target)}) if as_json else f"{target} is current: nothing to migrate.")
        return
    written = None if dry_run else replace_original(original, result.text, state_file or STATE)
    needed = find_faults(target, result.text, os.environ)
    if as_json:
        click.echo(json.dumps({"migrated": not dry_run, "config": str(target), "kept": written or [], **result.to_json(needed)}))
        return
    for line in result.lines(needed):
        click.echo(line)
    click.echo(f"\n{'Nothing was written (--dry-run).' if dry_run else f'{target} is written.'}")
    for kept in written or []:
        click.echo(f"What it was before: {kept}")
    if written and in_place and result.secrets:
        click.secho(f"{written[0]} still holds secrets: move them as shown above, then delete it.", fg="yellow")


def _sources(paths: tuple[Path, ...]) -> Iterator[Path]:
    from sre_agent_deploy.migrate.files import find_old_files

    for path in paths or (Path(),):
        if path.is_dir():
            yield from find_old_files(path)
        else:
            yield path


def _nothing(target: Path) -> Problem:
    return Problem(
        code="MIGRATE-NOTHING",
        what="There is nothing to migrate.",
        why=f"There is no {target} here, and none of the sample's files (gateway/config.yaml, gateway/.env and so on).",
        do=("Name the files or their folder: `sre-agent-deploy migrate PATH`.", "Or begin anew: `sre-agent-deploy init`."),
    )

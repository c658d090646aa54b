"""`set KEY VALUE [KEY VALUE]...`: change settings of the configuration and keep comments, order and formatting of the rest."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from sre_agent_deploy.cli.options import config_option, json_option, state_option
from sre_agent_deploy.cli.render import show_problems
from sre_agent_deploy.commands import STATE, Request
from sre_core.problem import Problem, Refused


@click.command("set", help="Change settings, for example: set deployment.instance_type t3.2xlarge")
@click.argument("words", metavar="KEY VALUE [KEY VALUE]...", nargs=-1, required=True)
@config_option
@state_option
@json_option
def set_values(*, words: tuple[str, ...], config_file: Path | None, state_file: Path | None, as_json: bool) -> None:
    from sre_agent_deploy.backup import keep
    from sre_agent_deploy.backup.restore import find_faults
    from sre_agent_deploy.commands.workspace import find_config_file
    from sre_agent_deploy.edit.file import read
    from sre_core.redaction import redact_line

    request = Request(config_file=config_file, state_file=state_file)
    original = read(find_config_file(request))
    if isinstance(original, Problem):
        raise Refused(original)
    text = _put_all(original.text, words)
    before = {(fault.code, fault.what) for fault in find_faults(original.path, original.text, os.environ)}
    after = find_faults(original.path, text, os.environ)
    # A file with two faults can be corrected one setting at a time; a new fault is never written.
    if new := tuple(fault for fault in after if (fault.code, fault.what) not in before):
        raise Refused(*new)
    kept = keep.rewrite(original, text, state_file or STATE) if text != original.text else None
    keys = [redact_line(key) for key in words[::2]]
    if as_json:
        click.echo(json.dumps({"set": keys, "changed": kept is not None, "backup_of_before": str(kept.path) if kept else ""}))
    elif kept:
        click.echo(f"{original.path}: {', '.join(keys)} set. What it was before: {kept.path}")
    else:
        click.echo(f"{original.path} has these values already.")
    if after:
        show_problems(after, as_json=as_json)
        click.echo(f"\n{original.path} has other faults, which were there before.", err=True)
    elif not as_json:
        click.echo("Next: sre-agent-deploy plan")


def _put_all(text: str, words: tuple[str, ...]) -> str:
    """Put every pair of words into the text, all of them or none."""
    from sre_agent_deploy.edit.put import put
    from sre_agent_deploy.edit.text import parse_path, parse_value

    if len(words) % 2:
        raise click.UsageError("give each key a value: set KEY VALUE [KEY VALUE]...")
    for key, value in zip(words[::2], words[1::2], strict=True):
        edited = put(text, parse_path(key), parse_value(value))
        if isinstance(edited, Problem):
            raise Refused(edited)
        text = edited
    return text

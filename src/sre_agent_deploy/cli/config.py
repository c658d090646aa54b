"""The commands of a configuration: `validate`, `schema`, `set`, `migrate`; and what it means: `costs`, `guide`, `iam-policy`, `export`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sre_agent_deploy.cli.options import choose_by, config_option, conflict_option, json_option, mode_option, request_options, state_option
from sre_agent_deploy.cli.render import show_problems
from sre_agent_deploy.commands import CONFIG, STATE, Mode, Request
from sre_core.problem import Problem, Refused

if TYPE_CHECKING:
    from sre_agent_deploy.commands.workspace import Located
    from sre_agent_deploy.config.models import Config


@click.command("validate", help="Check a configuration and show every fault in it; changes nothing.")
@config_option
@mode_option
@click.option("--account", is_flag=True, help="Also look whether the AWS account can take the deployment; reads only.")
@json_option
def validate(config_file: Path | None, mode: Mode | None, account: bool, as_json: bool) -> None:
    path = config_file or CONFIG
    located = _locate(config_file, mode) if account else None
    config = located.file.load(mode) if located else _load(path, mode)
    problems, warnings, suggestions = (config, (), ()) if isinstance(config, tuple) else _judge(config)
    if as_json:
        errors = [problem.to_json() for problem in problems]
        click.echo(json.dumps({"is_valid": not problems, "errors": errors, "warnings": warnings, "suggestions": suggestions}))
    elif problems:
        show_problems(problems)
        click.echo(f"\n{len(problems)} fault{'s' if len(problems) > 1 else ''} in {path}.", err=True)
    else:
        click.echo(f"{path} is valid.")
        for hint in (*warnings, *suggestions):
            click.echo(f"  note: {hint}")
    usable = not problems and (located is None or _account_fits(located, as_json=as_json))
    sys.exit(0 if usable else 1)


def _load(path: Path, mode: Mode | None) -> Config | tuple[Problem, ...]:
    from sre_agent_deploy.config.load import load

    return load(path, environ=os.environ, mode=mode)


def _locate(config_file: Path | None, mode: Mode | None) -> Located:
    from sre_agent_deploy.commands.workspace import find_state

    return find_state(Request(config_file, mode))


def _account_fits(located: Located, *, as_json: bool) -> bool:
    """Run preflight for this configuration and show every finding."""
    from sre_agent_deploy.checks.suite import stops_deployment
    from sre_agent_deploy.cli.render import show_findings
    from sre_agent_deploy.cli.terminal import Terminal
    from sre_agent_deploy.commands.plan import check_account

    findings = check_account(located, Terminal(as_json=as_json))
    show_findings(findings, as_json=as_json, every=True)
    return not stops_deployment(findings)


def _judge(config: Config) -> tuple[tuple[Problem, ...], tuple[str, ...], tuple[str, ...]]:
    """Return the faults of the files that a configuration names, with its warnings and suggestions."""
    from sre_agent_deploy.checks.preflight.sources import find_recording_faults

    result, recording = config.validate(), find_recording_faults(config)
    unseen, faults = ((), recording) if isinstance(recording, tuple) else ((f"{recording.what} {recording.why}",), ())
    warnings = (*result.warnings, *_find_missing_files(config), *unseen)
    return (*_find_certificate_faults(config), *faults), warnings, result.suggestions


def _find_certificate_faults(config: Config) -> tuple[Problem, ...]:
    """List what is wrong with the certificate's files, if this machine can read them."""
    from sre_agent_deploy.checks.preflight.domain import read_certificate
    from sre_agent_deploy.tls.files import find_certificate_files
    from sre_core import clock

    chosen = config.deployment
    files = find_certificate_files(chosen.domain_name, chosen.ssl_cert_path, chosen.ssl_key_path)
    readable = all(os.access(file, os.R_OK) for file in (*files, *filter(None, [chosen.ssl_ca_path])))
    return read_certificate(config, clock.now()).problems if config.tls.source == "files" and readable else ()


def _find_missing_files(config: Config) -> tuple[str, ...]:
    """List the files that the configuration names and this machine can't read: they may be on the machine that deploys."""
    fields = {"files": ("ssl_cert_path", "ssl_key_path", "ssl_ca_path"), "letsencrypt": ("ssl_ca_path",)}.get(config.tls.source, ())
    named = {field: getattr(config.deployment, field) for field in fields}
    return tuple(
        f"deployment.{field}: {file} can't be read on this machine; a deployment from here needs it."
        for field, file in named.items()
        if file and not os.access(file, os.R_OK)
    )


@click.command("schema", help="Print the JSON Schema of config.yaml.")
def schema() -> None:
    from sre_agent_deploy.config.template import build_json_schema

    click.echo(json.dumps(build_json_schema(), indent=2))


@click.command("set", help="Change settings, for example: set deployment.instance_type t3.2xlarge")
@click.argument("words", metavar="KEY VALUE [KEY VALUE]...", nargs=-1, required=True)
@config_option
@state_option
@json_option
def set_values(*, words: tuple[str, ...], config_file: Path | None, state_file: Path | None, as_json: bool) -> None:
    from sre_agent_deploy.backup import keep
    from sre_agent_deploy.backup.restore import find_faults
    from sre_agent_deploy.commands.workspace import find_config_file
    from sre_agent_deploy.config.text_file import read
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
        if not as_json:
            click.echo(f"{original.path} was not changed. With these values it would have these faults:", err=True)
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
    """Put every key with its value into the text, all of them or none."""
    from sre_agent_deploy.config.edit import parse_path, parse_value, put

    if len(words) % 2:
        raise click.UsageError("give each key a value: set KEY VALUE [KEY VALUE]...")
    for key, value in zip(words[::2], words[1::2], strict=True):
        edited = put(text, parse_path(key), parse_value(value))
        if isinstance(edited, Problem):
            raise Refused(edited)
        text = edited
    return text


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
    from sre_agent_deploy import migrate
    from sre_agent_deploy.backup.restore import find_faults
    from sre_agent_deploy.config.text_file import read_if_there
    from sre_agent_deploy.old_files import read_old, replace_original

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
    result = migrate.migrate([each for each in old if not isinstance(each, Problem)], existing, choose_by(conflict))
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
    from sre_agent_deploy.old_files import find_old_files

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
        do=("Name the files or their folder: `sre-agent-deploy migrate PATH`.", "Or start again: `sre-agent-deploy init`."),
    )


@click.command("costs", help="Estimate what a configuration costs a month, line by line, and why. Needs no credentials.")
@request_options
@json_option
def costs(request: Request, *, as_json: bool) -> None:
    from sre_agent_deploy.cli.render import render_estimate
    from sre_agent_deploy.commands import plan as commands

    found = commands.estimate_costs(request)
    click.echo(json.dumps(found.to_json()) if as_json else render_estimate(found))


@click.command("guide", help="Print the steps to make the same deployment in the AWS Console, as Markdown. Needs no credentials.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the guide as guide.md and guide.html (with check boxes) into this folder, and every file to upload or paste.",
)
@click.option("--interactive", is_flag=True, help="One step at a time; AWS is asked after each, and what is right is recorded.")
@click.option("--step", default="", metavar="NAME", help="With --interactive: only this step.")
@request_options
def guide(request: Request, *, out: Path | None, interactive: bool, step: str) -> None:
    from sre_agent_deploy.commands import guide as commands

    if (step and not interactive) or (out and interactive):
        raise click.UsageError("--step needs --interactive, and --out goes without it.")
    if interactive:
        from sre_agent_deploy.cli.terminal import Terminal, end

        user = Terminal()
        end(commands.walk_guide(request, user, step=step), user)
    if out is None:
        click.echo(commands.guide(request))
        return
    unfilled = commands.save_guide(request, out)
    click.echo(f"Wrote {out / 'guide.html'}, {out / 'guide.md'} and the files in {out / 'files'}.")
    if unfilled:
        click.echo(f"AWS chooses values on the way that these need; the guide says which, at their step: {', '.join(unfilled)}.")


@click.command("iam-policy", help="Print the IAM policies that an identity needs to deploy, verify and clean up exactly this deployment.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write each policy into a file of its own in this folder.")
@request_options
def iam_policy(request: Request, *, out: Path | None) -> None:
    from sre_agent_deploy.commands.plan import save_policies, write_policies

    policies = write_policies(request)
    if out is None:
        click.echo(json.dumps(policies, indent=2))
        return
    for file in save_policies(policies, out):
        click.echo(f"Wrote {file}.")


@click.group("export", help="Print the same deployment in another tool's format.")
def export() -> None:
    pass


@export.command("cloudformation", help="Print a CloudFormation template of the deployment, as JSON.")
@request_options
def cloudformation(request: Request) -> None:
    from sre_agent_deploy.commands.guide import export_cloudformation

    click.echo(export_cloudformation(request))

"""`init`: a commented configuration to begin with, from a template or by questions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

import click

from sre_agent_deploy.cli.opening import Mode
from sre_agent_deploy.cli.options import CONFIG
from sre_core.problem import Problem, Refused

# `--config` is what the other commands call the same file.
output_option = click.option(
    "--output", "--config", "config_file", type=click.Path(path_type=Path), help="Where to write it (default: config.yaml)."
)
mode_option = click.option("--mode", type=click.Choice(["production", "local"]), help="What it is for (default: production).")


@click.command("init", help="Write a commented config.yaml to begin with, or be asked for it step by step.")
@output_option
@mode_option
@click.option("--force", is_flag=True, help="Write even if the file exists; the old one is kept under another name.")
@click.option("--interactive", is_flag=True, help="Ask for each setting, with explanations and checks.")
def command(config_file: Path | None, mode: str | None, force: bool, interactive: bool) -> None:
    path = config_file or CONFIG
    if interactive:
        from sre_agent_deploy.cli.interactive import ask

        sys.exit(ask(path, cast("Mode | None", mode), force=force))
    write_template(path, cast("Mode", mode or "production"), force=force)


def write_template(path: Path, mode: Mode, *, force: bool) -> None:
    """Write the template for `mode` and say what comes next."""
    from sre_agent_deploy.config.template import template
    from sre_agent_deploy.interactive.new_file import refusal, write, write_schema

    if problem := refusal(path, force=force):
        raise Refused(problem)
    written = write(path, template(mode, schema=write_schema(path.parent)), force=force)
    if isinstance(written, Problem):
        raise Refused(written)
    if written.replaced:
        click.echo(f"The file that was there is now {written.replaced}.")
    click.echo(f"Wrote {path}.")
    if mode == "production":
        click.echo("Every setting is explained in it. Fill in at least aws.account_id, deployment.domain_name and the certificate.")
    click.echo(f"Next: sre-agent-deploy validate --config {path}")
    click.echo(f"      sre-agent-deploy deploy --config {path} --mode {mode}")

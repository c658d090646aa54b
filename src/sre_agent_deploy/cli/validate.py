"""`validate` and `schema`: every fault of a configuration at once, and what a configuration may hold. Offline, without `--account`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sre_agent_deploy.cli.options import config_option, json_option, mode_option
from sre_agent_deploy.cli.render import show_problems
from sre_agent_deploy.commands import CONFIG, Mode, Request

if TYPE_CHECKING:
    from sre_agent_deploy.commands.workspace import Located
    from sre_agent_deploy.config.models import Config
    from sre_core.problem import Problem


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
    from sre_agent_deploy.checks.preflight.suite import stops_deployment
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
    from sre_agent_deploy.checks.preflight.certificate import read_certificate
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

"""`schema`: the JSON Schema of config.yaml, for editors and pipelines."""

from __future__ import annotations

import json

import click


@click.command("schema", help="Print the JSON Schema of config.yaml.")
def command() -> None:
    from sre_agent_deploy.config.template import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
